/** lib/netlink/socket.ts over a made-up kernel: dumps that are interrupted, answers that are lost, errors. */
import t from 'tap';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { encodeLink } from '../../lib/netlink/link-codec.ts';
import { listLinks } from '../../lib/netlink/link.ts';
import {
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  RTM_NEWLINK,
} from '../../lib/netlink/uapi.ts';
import { FakeKernel, answer, done, notification } from './netlink-fake-kernel.ts';
import type { Arrival, Part } from './netlink-fake-kernel.ts';

const EEXIST = 17;
const EBUSY = 16;
const REQUEST = { type: 18, data: Buffer.alloc(0), op: 'ask' };

function link(name: string, flags = 0): Part {
  return { type: RTM_NEWLINK, flags, data: encodeLink({ name }) };
}

function names(kernel: FakeKernel): string[] {
  return listLinks(kernel.socket()).map(({ name }) => name);
}

/** Answers dump after dump, the last again and again. */
function dumping(...dumps: readonly (readonly Arrival[])[]): FakeKernel {
  return new FakeKernel((_, { requests }) => dumps[Math.min(requests.length, dumps.length) - 1] ?? []);
}

t.test('a dump is one list, whatever datagrams it comes in', async (t) => {
  const kernel = dumping([[link('a'), link('b')], [link('c')], [done()]]);
  t.strictSame(names(kernel), ['a', 'b', 'c']);
  t.equal(kernel.requests.length, 1);
  t.equal((kernel.requests[0]?.flags ?? 0) & NLM_F_DUMP, NLM_F_DUMP);
});

t.test('a dump that was interrupted is asked for again, and only the whole one counts', async (t) => {
  const partial: Arrival[] = [[link('gone'), link('half', NLM_F_DUMP_INTR)], [done()]];
  const atEnd: Arrival[] = [[link('gone')], [done(0, NLM_F_DUMP_INTR)]];
  const overrun: Arrival[] = [[link('gone'), { type: NLMSG_OVERRUN, data: Buffer.alloc(0) }], [done()]];
  const kernel = dumping(partial, atEnd, overrun, [[link('a')], [done()]]);
  t.strictSame(names(kernel), ['a']);
  t.equal(kernel.requests.length, 4);
});

t.test('a dump that is interrupted every time is an error, not a list', async (t) => {
  const kernel = new FakeKernel((_, fake) => {
    fake.now += 100;
    return [[link('half', NLM_F_DUMP_INTR)], [done()]];
  });
  t.throws(() => names(kernel), { name: 'NetmoorError', kind: 'try-again' });
  t.ok(kernel.requests.length > 8, 'it was tried often');
  t.ok(kernel.requests.length < 30, 'but not for ever');
});

t.test('that error comes also when the clock stands still', async (t) => {
  const kernel = dumping([[link('half', NLM_F_DUMP_INTR)], [done()]]);
  t.throws(() => names(kernel), { name: 'NetmoorError', kind: 'try-again' });
});

t.test('a dump during which notifications were lost is read to its end, and asked for again', async (t) => {
  const kernel = dumping([[link('old')], 'ENOBUFS', [done()]], [[link('new')], [done()]]);
  t.strictSame(names(kernel), ['new']);
  t.equal(kernel.requests.length, 2);
});

t.test('a dump that fails is an error with the kernel’s words', async (t) => {
  t.throws(() => names(dumping([[answer(EBUSY, 'too much')]])), {
    name: 'SystemError',
    code: 'EBUSY',
    errno: EBUSY,
    extack: 'too much',
    op: 'list interfaces',
  });
  t.throws(() => names(dumping([[link('a')], [done(EBUSY)]])), { name: 'SystemError', code: 'EBUSY' });
});

t.test('what belongs to no request is passed over', async (t) => {
  const stray = { ...link('stray'), seq: 77 };
  const kernel = dumping([[stray, { type: NLMSG_NOOP, data: Buffer.alloc(0) }, link('a')], [done()]]);
  t.strictSame(names(kernel), ['a']);
});

t.test('pipelined requests: each its own answer', async (t) => {
  const kernel = new FakeKernel(({ type }) =>
    type === 1000 ? [[answer(EEXIST, 'it is there')]] : [[link(`of ${type}`)], [answer()]],
  );
  const socket = kernel.socket();
  const ask = (type: number) => ({ ...REQUEST, type, op: `ask ${type}` });
  const { replies, failures } = socket.exchange([ask(100), ask(1000), ask(200)]);
  t.strictSame(
    replies.map((messages) => messages.length),
    [1, 0, 1],
  );
  t.match(failures, [{ index: 1, error: { op: 'ask 1000', code: 'EEXIST', extack: 'it is there' } }]);
  t.equal(failures.length, 1);
  t.ok(kernel.requests.every(({ flags }) => flags & NLM_F_ACK));
  t.throws(() => socket.requestAll([ask(100), ask(1000)]), { code: 'EEXIST' });
  t.strictSame(socket.exchange([]), { replies: [], failures: [] });
});

t.test('a question is answered by one message, without an acknowledgement', async (t) => {
  const kernel = new FakeKernel(({ type }) => {
    if (type === 1000) return [[answer(EEXIST, 'not that one')]];
    return [[{ ...link('stray'), seq: 77 }], 'ENOBUFS', [link('a')]];
  });
  const socket = kernel.socket();
  t.match(socket.ask(REQUEST), { type: RTM_NEWLINK, seq: 1 });
  t.equal(socket.awaitChange(0, 'wait'), true, 'what else was told is not lost');
  t.throws(() => socket.ask({ ...REQUEST, type: 1000 }), {
    code: 'EEXIST',
    extack: 'not that one',
    op: 'ask',
  });
  t.notOk(kernel.requests.some(({ flags }) => flags & NLM_F_ACK));
  const gone = new FakeKernel(() => ['ENOBUFS']);
  t.throws(() => gone.socket().ask(REQUEST), { code: 'ENOBUFS' });
  t.equal(gone.now, 1000, 'what was lost is not waited for');
  const silent = new FakeKernel(() => []);
  t.throws(() => silent.socket().ask(REQUEST), { code: 'ETIMEDOUT' });
});

t.test('no answer is an error in the end', async (t) => {
  const kernel = new FakeKernel(() => []);
  t.throws(() => kernel.socket().request(REQUEST), { name: 'SystemError', code: 'ETIMEDOUT' });
  t.ok(kernel.now > 1000, 'it was waited for');
});

t.test('notifications that were lost do not fail a request whose answer was not', async (t) => {
  const kernel = new FakeKernel(() => ['ENOBUFS', [link('a')], [answer()]]);
  t.equal(kernel.socket().request(REQUEST).length, 1);
});

t.test('an answer that was lost is an error at once', async (t) => {
  const kernel = new FakeKernel(() => [[link('a')], 'ENOBUFS']);
  t.throws(() => kernel.socket().request(REQUEST), { name: 'SystemError', code: 'ENOBUFS' });
  t.equal(kernel.now, 1000, 'nothing was waited for');
});

t.test('waiting for a change', async (t) => {
  const kernel = new FakeKernel(() => [[notification(RTM_NEWLINK)], [link('a')], [done()]]);
  const socket = kernel.socket();
  t.equal(socket.awaitChange(50, 'wait'), false, 'nothing happened');
  t.equal(kernel.now, 1050);
  kernel.later(20, [notification(RTM_NEWLINK)]);
  t.equal(socket.awaitChange(50, 'wait'), true, 'something did');
  t.equal(kernel.now, 1070);
  kernel.later(5, 'ENOBUFS');
  t.equal(socket.awaitChange(50, 'wait'), true, 'more than there was room for');
  listLinks(socket);
  t.equal(socket.awaitChange(50, 'wait'), true, 'while something else was asked');
  t.equal(socket.awaitChange(50, 'wait'), false, 'each is told once');
  for (let times = 0; times < 5; times++) kernel.later(0, [notification(RTM_NEWLINK)]);
  t.equal(socket.awaitChange(50, 'wait'), true, 'several together');
  t.equal(socket.awaitChange(50, 'wait'), false, 'are one');
  socket.close();
  t.equal(kernel.closed, true);
});

t.test('malformed datagrams and answers are decoding errors', async (t) => {
  const short = (type: number, length: number): FakeKernel =>
    new FakeKernel(() => [[{ type, data: Buffer.alloc(length) }]]);
  t.throws(() => short(2, 3).socket().request(REQUEST), DecodeError);
  t.throws(() => names(short(3, 3)), DecodeError);
  const kernel = new FakeKernel(() => [[link('a')]]);
  kernel.receive = (buffer) => buffer.write('a message shorter than its header says it is');
  t.throws(() => kernel.socket().request(REQUEST), DecodeError);
  kernel.receive = (buffer) => buffer.length + 1;
  t.throws(() => kernel.socket().request(REQUEST), { name: 'SystemError', code: 'EMSGSIZE' });
});
