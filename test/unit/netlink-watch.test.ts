/** lib/netlink/watch.ts over a made-up kernel: what happens between two looks, and notifications that were lost. */
import { constants } from 'node:os';
import t from 'tap';
import { SystemError } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import { encodeAddress } from '../../lib/netlink/address-codec.ts';
import { encodeLink } from '../../lib/netlink/link-codec.ts';
import { encodeMessage } from '../../lib/netlink/message.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import {
  AF_INET6,
  IFA_F_DADFAILED,
  IFA_F_TENTATIVE,
  IF_OPER_UP,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from '../../lib/netlink/uapi.ts';
import { untilDetected, untilLinkUp } from '../../lib/netlink/watch.ts';
import { FakeKernel, answer, done, notification } from './netlink-fake-kernel.ts';

const LOCAL = parseAddress('fd00::2');

function addressWith(flags: number): Buffer {
  return encodeAddress({ family: AF_INET6, length: 64, index: 7, attributes: { local: LOCAL, flags } });
}

/** A kernel with one address, whose flags follow from the time. */
function detecting(flagsAt: (now: number) => number): FakeKernel {
  return new FakeKernel(({ type }, { now }) =>
    type === RTM_GETADDR ? [[{ type: RTM_NEWADDR, data: addressWith(flagsAt(now)) }], [done()]] : [],
  );
}

function detected(kernel: FakeKernel, milliseconds = 5000): object {
  const { duplicate, undecided } = untilDetected(kernel.socket(), 7, milliseconds, () => kernel.now);
  return { duplicate: duplicate.length, undecided: undecided.length, after: kernel.now - 1000 };
}

t.test('detection ends with the notification', async (t) => {
  const kernel = detecting((now) => (now < 1800 ? IFA_F_TENTATIVE : 0));
  kernel.later(800, [notification(RTM_NEWADDR)]);
  t.strictSame(detected(kernel), { duplicate: 0, undecided: 0, after: 800 });
});

t.test('an overflow is no failure: the state is asked again, and waiting goes on', async (t) => {
  const kernel = detecting((now) => (now < 1800 ? IFA_F_TENTATIVE : IFA_F_TENTATIVE | IFA_F_DADFAILED));
  kernel.later(300, 'ENOBUFS');
  kernel.later(800, [notification(RTM_NEWADDR)]);
  t.strictSame(detected(kernel), { duplicate: 1, undecided: 0, after: 800 });
});

t.test('what overflows while the addresses are listed is no failure either', async (t) => {
  let asked = 0;
  const kernel = new FakeKernel(() => {
    asked++;
    const data = addressWith(asked > 1 ? 0 : IFA_F_TENTATIVE);
    return [...(asked === 1 ? ['ENOBUFS' as const] : []), [{ type: RTM_NEWADDR, data }], [done()]];
  });
  t.strictSame(detected(kernel), { duplicate: 0, undecided: 0, after: 0 });
});

t.test('a notification between an address and the end of its list is not missed', async (t) => {
  let asked = 0;
  const kernel = new FakeKernel(() => {
    asked++;
    const told = asked === 1 ? [[notification(RTM_NEWADDR)]] : [];
    return [[{ type: RTM_NEWADDR, data: addressWith(asked > 1 ? 0 : IFA_F_TENTATIVE) }], ...told, [done()]];
  });
  t.strictSame(detected(kernel), { duplicate: 0, undecided: 0, after: 0 });
});

t.test('waiting for detection ends with its time', async (t) => {
  t.strictSame(
    detected(
      detecting(() => IFA_F_TENTATIVE),
      700,
    ),
    { duplicate: 0, undecided: 1, after: 700 },
  );
});

t.test('a link that comes up behind an overflow', async (t) => {
  const listener = new FakeKernel(() => []);
  listener.later(40, 'ENOBUFS');
  listener.later(90, [notification(RTM_NEWLINK)]);
  const kernel = new FakeKernel(() => {
    const data = encodeLink({ name: 'near', operstate: listener.now < 1090 ? 2 : IF_OPER_UP }, { index: 7 });
    return [[{ type: RTM_NEWLINK, data }], [answer()]];
  });
  const now = (): number => listener.now;
  t.equal(
    untilLinkUp(kernel.socket(), 7, 5000, now, () => listener.socket()),
    true,
  );
  t.equal(listener.now, 1090);
  t.equal(listener.closed, true, 'nobody listens any more');
});

/** What a listener is told in three calls, and how long each of them took. */
function heard(kernel: FakeKernel, milliseconds: number): unknown[] {
  const socket = kernel.socket();
  return [1, 2, 3].map(() => {
    const before = kernel.now;
    const messages = socket.awaitMessages(milliseconds, 'listen');
    const told = Array.isArray(messages) ? messages.map(({ type }) => type) : messages;
    return [told, kernel.now - before];
  });
}

t.test('a listener is told all that has come, and waits for what has not', async (t) => {
  const kernel = new FakeKernel(() => []);
  kernel.later(0, [notification(RTM_NEWLINK), notification(RTM_NEWADDR)]);
  kernel.later(0, [notification(RTM_NEWLINK)]);
  kernel.later(30, [notification(RTM_NEWADDR)]);
  t.strictSame(heard(kernel, 100), [
    [[RTM_NEWLINK, RTM_NEWADDR, RTM_NEWLINK], 0],
    [[RTM_NEWADDR], 30],
    [undefined, 100],
  ]);
});

t.test('a listener hears of a loss once nothing more is queued, and of what was kept then', async (t) => {
  const kernel = new FakeKernel(() => []);
  kernel.later(5, [notification(RTM_NEWLINK)]);
  kernel.later(5, 'ENOBUFS');
  kernel.later(5, [notification(RTM_NEWADDR)]);
  t.strictSame(heard(kernel, 100), [
    ['lost', 5],
    [[RTM_NEWLINK, RTM_NEWADDR], 0],
    [undefined, 100],
  ]);
});

t.test('a loss with nothing kept is told at once', async (t) => {
  const kernel = new FakeKernel(() => []);
  kernel.later(5, 'ENOBUFS');
  t.strictSame(heard(kernel, 100).slice(0, 2), [
    ['lost', 5],
    [undefined, 100],
  ]);
});

t.test('who is told without end is bounded', async (t) => {
  let told = 0;
  const endless = NetlinkSocket.over(
    {
      send: () => undefined,
      receive: (buffer, _, op) => {
        if (told++ % 7 === 3) throw new SystemError(op, constants.errno.ENOBUFS);
        return Buffer.concat(encodeMessage({ type: RTM_NEWLINK, flags: 0, seq: 0, data: [] })).copy(buffer);
      },
      close: () => undefined,
    },
    () => 0,
  );
  t.equal(endless.awaitMessages(0, 'listen'), 'lost');
  const calls = told;
  t.equal(endless.awaitMessages(0, 'listen'), 'lost');
  t.ok(told < 3 * calls, 'no more with each call');
});
