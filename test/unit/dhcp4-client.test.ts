/** ipam/dhcp/v4/client.ts: every state with every event that it knows, and the timers of RFC 2131. */
import t from 'tap';
import type { Test } from 'tap';
import type { Lease4 } from '../../ipam/dhcp/lease.ts';
import type { Event } from '../../ipam/dhcp/machine.ts';
import { client4 } from '../../ipam/dhcp/v4/client.ts';
import { isAsking } from '../../ipam/dhcp/v4/data.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import {
  CLIENT_FQDN,
  CLIENT_IDENTIFIER,
  HOST_NAME,
  MESSAGE,
  PARAMETER_REQUEST_LIST,
  RAPID_COMMIT,
  REBINDING_TIME,
  RENEWAL_TIME,
  REQUESTED_ADDRESS,
  SERVER_IDENTIFIER,
  VENDOR_CLASS_IDENTIFIER,
  readOption,
  written,
} from '../../ipam/dhcp/v4/options/known.ts';
import { CLIENT_ID } from './dhcp4-messages.ts';
import { ADDRESS, OTHER, Rig, SERVER } from './dhcp4-rig.ts';

const TIMES = { more: [written(RENEWAL_TIME, 1800), written(REBINDING_TIME, 3000)] };

const codes = ({ options }: Message4): number[] => [...options.keys()].sort((a, b) => a - b);

t.test('DISCOVER, OFFER, REQUEST, ACK', async (t) => {
  const rig = new Rig();
  t.equal(rig.state, 'SELECTING');
  t.strictSame(rig.did, ['discover to everyone'], 'at once');
  const discover = rig.last.message;
  t.match(discover, { op: 'request', ciaddr: '0.0.0.0', secs: 0, chaddr: rig.wish.mac, broadcast: false });
  t.strictSame(codes(discover), [55, 57, 61]);
  t.equal(readOption(discover.options, CLIENT_IDENTIFIER), CLIENT_ID);
  rig.now += 20;
  rig.answered('offer');
  t.equal(rig.state, 'REQUESTING');
  t.strictSame(rig.did, ['request to everyone']);
  const request = rig.last.message;
  t.equal(request.xid, discover.xid, 'RFC 2131, table 5');
  t.equal(request.ciaddr, '0.0.0.0');
  t.strictSame(codes(request), [50, 54, 55, 57, 61]);
  t.equal(readOption(request.options, REQUESTED_ADDRESS), ADDRESS);
  t.equal(readOption(request.options, SERVER_IDENTIFIER), SERVER);
  rig.now += 20;
  rig.answered('ack', TIMES);
  t.equal(rig.state, 'BOUND');
  t.strictSame(rig.did, ['hold']);
  t.match(rig.lease, {
    address: `${ADDRESS}/24`,
    server: SERVER,
    since: 1020,
    validFor: 3600,
    serverMac: '02:00:00:00:00:09',
  });
  t.ok(
    rig.wakeAt !== undefined && rig.wakeAt <= 1_801_020 && rig.wakeAt > 1_761_000,
    'T1, or a little before',
  );
  t.notOk(isAsking(rig.data));
});

t.test('what the wish says is sent', async (t) => {
  const provide = { 60: '6e65746d6f6f72', 77: '0161', 53: '01', 61: '00', 255: '' };
  const { options } = new Rig({ hostname: 'boat', provide, request: [42, 3] }).last.message;
  t.equal(readOption(options, HOST_NAME), 'boat');
  t.equal(readOption(options, VENDOR_CLASS_IDENTIFIER)?.toString(), 'netmoor');
  t.equal(readOption(options, CLIENT_IDENTIFIER), CLIENT_ID, 'not another one');
  t.strictSame(
    [...options.keys()].sort((a, b) => a - b),
    [12, 55, 57, 60, 61, 77],
  );
  const list = readOption(options, PARAMETER_REQUEST_LIST) ?? [];
  t.equal(list.at(-1), 42);
  t.ok(list.indexOf(121) < list.indexOf(3), 'RFC 3442');
  t.equal(new Set(list).size, list.length);
  const bare = new Rig({ replaceDefaults: true }).last.message.options;
  t.notOk(bare.has(55));
  t.strictSame(
    readOption(new Rig({ replaceDefaults: true, request: [1] }).last.message.options, PARAMETER_REQUEST_LIST),
    [1],
  );
  const named = new Rig({ hostname: 'boat', fqdn: 'boat.lan' }).last.message.options;
  t.match(readOption(named, CLIENT_FQDN), { name: 'boat.lan', partial: false, serverUpdates: true });
  t.notOk(named.has(12), 'RFC 4702');
  t.match(readOption(new Rig({ fqdn: 'boat' }).last.message.options, CLIENT_FQDN), { partial: true });
  t.equal(new Rig({ broadcast: true }).last.message.broadcast, true);
  const prefer = new Rig({ preferredAddress: ADDRESS }).last.message;
  t.equal(readOption(prefer.options, REQUESTED_ADDRESS), ADDRESS);
});

t.test('DISCOVER again after 4, 8, 16, 32 and 64 seconds', async (t) => {
  const rig = new Rig();
  const waits: number[] = [];
  const seconds: number[] = [];
  for (let round = 0; round < 8; round++) {
    waits.push(rig.wait);
    rig.wake();
    seconds.push(rig.last.message.secs);
  }
  t.strictSame(waits, [4, 8, 16, 32, 64, 64, 64, 64]);
  t.strictSame(seconds, [4, 12, 28, 60, 124, 188, 252, 316]);
  t.equal(new Set(rig.sent.map(({ message }) => message.xid)).size, 1);
  t.equal(rig.state, 'SELECTING');
  for (const [random, wait] of [
    [0, 3000],
    [0.999999, 5000],
  ] as const) {
    const { wakeAt = 0 } = client4.begin(rig.wish, { now: 0, random: () => random });
    t.ok(Math.abs(wakeAt - wait) < 1, 'plus or minus one');
  }
});

t.test('four REQUESTs in a minute, then from the beginning', async (t) => {
  const rig = new Rig().wake().answered('offer');
  const { xid, secs } = rig.last.message;
  const waits: number[] = [];
  for (let round = 0; round < 4; round++) {
    waits.push(rig.wait);
    t.match(rig.last.message, { type: 'request', xid, secs }, 'secs as in the DISCOVER');
    rig.wake();
  }
  t.strictSame(waits, [4, 8, 16, 32]);
  t.equal(rig.state, 'SELECTING');
  t.not(rig.last.message.xid, xid);
  const late = new Rig().answered('offer').wake();
  late.answered('ack');
  t.equal(late.lease?.since, 1000, 'a lease counts from the first REQUEST that this may be the answer to');
});

t.test('an ACK that comes when its lease is over', async (t) => {
  const rig = new Rig().answered('offer').wake();
  rig.now += 1900;
  rig.answered('ack', { lease: 5 });
  t.equal(rig.state, 'SELECTING');
  t.strictSame(rig.did, ['discover to everyone']);
});

t.test('only what was asked for, of the server that was asked', async (t) => {
  const rig = new Rig().answered('offer');
  const ignored: Message4[] = [
    rig.answer('offer', { server: OTHER }),
    rig.answer('ack', { server: OTHER }),
    rig.answer('nak', { server: OTHER }),
    rig.answer('ack', { address: '192.0.2.51' }),
    rig.answer('ack', { head: { xid: 1 } }),
    rig.answer('ack', { head: { chaddr: '02:00:00:00:00:99' } }),
    rig.answer('ack', { more: [written(CLIENT_IDENTIFIER, '0001')] }),
    rig.answer('ack', { lease: 0 }),
  ];
  for (const message of ignored) {
    const before = rig.data;
    rig.receive(message);
    t.strictSame(rig.data, before);
    t.strictSame(rig.actions, []);
  }
  t.equal(rig.answered('ack').state, 'BOUND');
  const bound = rig.data;
  for (const type of ['offer', 'ack', 'nak'] as const)
    t.strictSame(rig.answered(type).data, bound, `${type} again`);
  t.equal(new Rig().answered('nak').state, 'SELECTING', 'a NAK to DISCOVER');
  t.equal(new Rig().answered('ack').state, 'SELECTING', 'an ACK to DISCOVER');
});

t.test('rapid commit (RFC 4039)', async (t) => {
  const rapid = { more: [written(RAPID_COMMIT, true)] as const };
  const rig = new Rig({ rapidCommit: true });
  t.equal(readOption(rig.last.message.options, RAPID_COMMIT), true);
  t.equal(new Rig({ rapidCommit: true }).answered('ack').state, 'SELECTING', 'an ACK that does not say so');
  t.equal(new Rig().answered('ack', rapid).state, 'SELECTING', 'one that nobody asked for');
  t.equal(rig.answered('ack', rapid).state, 'BOUND');
});

t.test('NAKs: at once anew, then ever later', async (t) => {
  const rig = new Rig();
  const waits: number[] = [];
  for (let round = 0; round < 9; round++) {
    rig.answered('offer').answered('nak', { more: [written(MESSAGE, 'go away')] });
    t.match(rig.actions[0], { do: 'note', text: /go away/ });
    waits.push(rig.state === 'INIT' ? rig.wait : 0);
    if (rig.state === 'INIT') rig.wake();
    t.equal(rig.state, 'SELECTING');
  }
  t.strictSame(waits, [0, 2, 4, 8, 16, 32, 64, 64, 64]);
  rig.bind();
  t.equal(rig.wake().answered('nak').state, 'SELECTING', 'all forgotten with a lease');
});

t.test('RENEWING, REBINDING, the end', async (t) => {
  const rig = new Rig().bind(TIMES);
  const at: string[] = [];
  const xids = new Set<number>();
  while (rig.state !== 'SELECTING') {
    rig.wake();
    at.push(`${Math.round((rig.now - 1000) / 1000)} ${rig.state} ${rig.did.join(', ')}`);
    xids.add(rig.last.message.xid);
    if (rig.state === 'SELECTING') break;
    const { message } = rig.last;
    t.strictSame([message.ciaddr, codes(message)], [ADDRESS, [55, 57, 61]], 'neither 50 nor 54');
    t.ok(isAsking(rig.data));
    t.match(rig.lease, { since: 1000 });
  }
  const unicast = `request to ${SERVER} from ${ADDRESS}`;
  const broadcast = `request to everyone from ${ADDRESS}`;
  t.strictSame(at, [
    `1782 RENEWING ${unicast}`,
    `2391 RENEWING ${unicast}`,
    `2695 RENEWING ${unicast}`,
    `2848 RENEWING ${unicast}`,
    `2924 RENEWING ${unicast}`,
    `2984 RENEWING ${unicast}`,
    `3000 REBINDING ${broadcast}`,
    `3300 REBINDING ${broadcast}`,
    `3450 REBINDING ${broadcast}`,
    `3525 REBINDING ${broadcast}`,
    `3585 REBINDING ${broadcast}`,
    '3600 SELECTING lose expired, discover to everyone',
  ]);
  t.equal(xids.size, at.length, 'each with an xid of its own');
  t.equal(readOption(rig.last.message.options, REQUESTED_ADDRESS), ADDRESS, 'if possible the same again');
  t.equal(rig.lease, undefined);
});

t.test('a lease of ten seconds is renewed too', async (t) => {
  const rig = new Rig().bind({ lease: 10 });
  const at: string[] = [];
  for (rig.wake(); rig.state !== 'SELECTING'; rig.wake())
    at.push(`${((rig.now - 1000) / 1000).toFixed(1)} ${rig.state}`);
  t.strictSame(at, ['4.9 RENEWING', '6.8 RENEWING', '7.8 RENEWING', '8.8 REBINDING', '9.8 REBINDING']);
});

t.test('a renewal', async (t) => {
  const rig = new Rig({ checkAddress: true });
  rig.bind(TIMES).on({ is: 'checked', taken: [] });
  const first = rig.lease;
  rig.wake();
  const asked = rig.now;
  rig.now += 30;
  for (const ignored of [
    rig.answer('ack', { server: OTHER }),
    rig.answer('nak', { server: OTHER }),
    rig.answer('offer'),
  ])
    t.equal(rig.receive(ignored).state, 'RENEWING');
  rig.answered('ack', TIMES);
  t.equal(rig.state, 'BOUND', 'without a check');
  t.strictSame(rig.did, ['hold']);
  t.strictSame(rig.lease, { ...first, since: asked });
  rig.wake().answered('nak');
  t.strictSame(rig.did, ['lose refused', 'discover to everyone']);
  t.notOk(rig.last.message.options.has(50), 'not the one that was refused');
});

t.test('another server takes over, with another address', async (t) => {
  const rebinding = (checkAddress = false): Rig => {
    const rig = new Rig({ checkAddress }).bind(TIMES);
    if (checkAddress) rig.on({ is: 'checked', taken: [] });
    while (rig.state !== 'REBINDING') rig.wake();
    return rig;
  };
  const kept = rebinding().answered('ack', { server: OTHER });
  t.strictSame(kept.did, ['hold']);
  t.match(kept.lease, { server: OTHER, address: `${ADDRESS}/24` });
  const moved = rebinding().answered('ack', { server: OTHER, address: '192.0.2.77' });
  t.strictSame(moved.did, ['lose moved', 'hold']);
  t.equal(moved.lease?.address, '192.0.2.77/24');
  const checked = rebinding(true).answered('ack', { server: OTHER, address: '192.0.2.77' });
  t.strictSame(checked.did, ['lose moved', 'check']);
  t.strictSame(checked.on({ is: 'checked', taken: [] }).did, ['hold']);
  t.strictSame(rebinding().answered('nak', { server: OTHER }).did, ['lose refused', 'discover to everyone']);
});

t.test('a lease for ever', async (t) => {
  const rig = new Rig().bind({ lease: 0xffffffff });
  t.equal(rig.state, 'BOUND');
  t.equal(rig.wakeAt, undefined);
  t.strictSame(rig.resume(1e12).did, []);
  t.throws(() => rig.on({ is: 'time' }), TypeError);
  rig.on({ is: 'uncertain' });
  for (let round = 0; round < 4; round++) rig.wake();
  t.equal(rig.state, 'BOUND', 'nobody answers: it is still valid');
});

t.test('the link is asked about the address', async (t) => {
  const rig = new Rig({ checkAddress: true }).bind();
  t.equal(rig.state, 'CHECKING');
  t.strictSame(rig.actions, [{ do: 'check', addresses: [ADDRESS] }]);
  t.equal(rig.lease, undefined, 'not yet');
  t.strictSame(rig.answered('ack').actions, [], 'the ACK once more');
  t.strictSame(rig.resume(5).did, ['check'], 'another process asks again');
  t.equal(rig.on({ is: 'uncertain' }).state, 'CHECKING');
  t.strictSame(rig.on({ is: 'checked', taken: [] }).did, ['hold']);
  const late = new Rig({ checkAddress: true }).bind({ lease: 5 });
  late.now += 5000;
  t.strictSame(late.on({ is: 'checked', taken: [] }).did, ['discover to everyone']);
});

function isDecline(t: Test, rig: Rig): void {
  const { message } = rig.last;
  t.match(message, { type: 'decline', ciaddr: '0.0.0.0', broadcast: false });
  t.strictSame(codes(message), [50, 54, 61]);
  t.equal(readOption(message.options, REQUESTED_ADDRESS), ADDRESS);
  t.equal(readOption(message.options, SERVER_IDENTIFIER), SERVER);
  t.equal(rig.state, 'INIT');
  t.equal(rig.wait, 10);
  t.equal(rig.on({ is: 'uncertain' }).state, 'INIT', 'it waits, whatever happens');
  t.strictSame(rig.answered('offer').did, []);
  t.strictSame(rig.wake().did, ['discover to everyone']);
}

t.test('somebody else has the address', async (t) => {
  const rig = new Rig({ checkAddress: true }).bind().on({ is: 'checked', taken: ['192.0.2.9', ADDRESS] });
  t.strictSame(rig.did, ['decline to everyone']);
  isDecline(t, rig);
  for (const wakes of [0, 1]) {
    const bound = new Rig().bind();
    for (let count = 0; count < wakes; count++) bound.wake();
    t.strictSame(bound.on({ is: 'duplicate', address: '192.0.2.51' }).did, [], 'not ours');
    t.strictSame(bound.on({ is: 'duplicate', address: ADDRESS }).did, [
      'lose duplicate',
      'decline to everyone',
    ]);
    isDecline(t, bound);
  }
});

const REMEMBERED: Lease4 = {
  since: 0,
  validFor: 10,
  address: `${ADDRESS}/24`,
  server: SERVER,
  routes: [],
  dns: { nameservers: [], search: [] },
};

t.test('a remembered lease is asked for again', async (t) => {
  const rig = new Rig({}, REMEMBERED);
  t.equal(rig.state, 'REBOOTING');
  t.equal(rig.lease, undefined);
  const { message } = rig.last;
  t.match(message, { type: 'request', ciaddr: '0.0.0.0' });
  t.strictSame(codes(message), [50, 55, 57, 61], 'no server identifier');
  t.equal(readOption(message.options, REQUESTED_ADDRESS), ADDRESS);
  t.strictSame(rig.answered('offer').did, []);
  t.strictSame(rig.answered('ack', { server: OTHER }).did, ['hold'], 'whoever knows of it');
  t.equal(rig.lease?.server, OTHER);
  const refused = new Rig({}, REMEMBERED).answered('nak');
  t.strictSame(refused.did, ['discover to everyone'], 'nothing is lost');
  t.notOk(refused.last.message.options.has(50));
  const alone = new Rig({}, REMEMBERED);
  t.equal(alone.wait, 4);
  t.strictSame(
    alone.wake().did,
    ['discover to everyone'],
    'servers that do not know it are silent (section 4.3.2)',
  );
  t.equal(readOption(alone.last.message.options, REQUESTED_ADDRESS), ADDRESS);
  const other = new Rig({ preferredAddress: '192.0.2.60' }, REMEMBERED);
  t.equal(other.state, 'SELECTING', 'another one is wished for');
  t.equal(readOption(other.last.message.options, REQUESTED_ADDRESS), '192.0.2.60');
});

t.test('whether the network still is the same', async (t) => {
  const uncertain = (): Rig => new Rig().bind(TIMES).on({ is: 'uncertain' });
  const rig = uncertain();
  t.equal(rig.state, 'REBOOTING');
  t.strictSame(codes(rig.last.message), [50, 55, 57, 61]);
  t.match(rig.lease, { since: 1000 }, 'it is used meanwhile');
  t.strictSame(rig.answered('ack').did, ['hold']);
  t.strictSame(uncertain().answered('nak').did, ['lose refused', 'discover to everyone'], 'another network');
  t.strictSame(uncertain().answered('ack', { address: '192.0.2.99' }).did, ['lose moved', 'hold']);
  const silent = uncertain();
  const waits: number[] = [];
  while (silent.state === 'REBOOTING') {
    waits.push(silent.wait);
    silent.wake();
  }
  t.strictSame(waits, [4, 8, 16, 32]);
  t.equal(silent.state, 'BOUND', 'RFC 2131, section 3.2');
  t.equal(silent.wait, 1800 - 60);
  const expiring = new Rig().bind({ lease: 6 }).on({ is: 'uncertain' });
  t.equal(expiring.wake().state, 'REBOOTING');
  t.strictSame(expiring.wake().did, ['lose expired', 'discover to everyone'], 'its end comes all the same');
  const renewing = new Rig().bind().wake().on({ is: 'uncertain' });
  t.equal(renewing.state, 'REBOOTING');
  const { xid } = renewing.last.message;
  t.not(renewing.on({ is: 'uncertain' }).last.message.xid, xid, 'once more');
  const selecting = new Rig().wake().wake().on({ is: 'uncertain' });
  t.strictSame([selecting.did, selecting.wait], [['discover to everyone'], 4], 'in haste again');
  const requesting = new Rig().answered('offer').on({ is: 'uncertain' });
  t.equal(readOption(requesting.last.message.options, REQUESTED_ADDRESS), ADDRESS);
});

t.test('RELEASE', async (t) => {
  const rigs = [
    new Rig().bind(),
    new Rig().bind().wake(),
    new Rig({ checkAddress: true }).bind(),
    new Rig().bind().on({ is: 'uncertain' }),
  ];
  for (const rig of rigs) {
    const from = rig.state;
    rig.on({ is: 'release' });
    t.strictSame(rig.did, [`release to ${SERVER} from ${ADDRESS}`, 'end'], from);
    t.equal(rig.last.message.ciaddr, ADDRESS);
    t.strictSame(codes(rig.last.message), [54, 61]);
    t.strictSame([rig.state, rig.wakeAt, rig.lease], ['RELEASED', undefined, undefined]);
    t.strictSame(rig.answered('ack').did, [], 'too late');
    t.strictSame(rig.on({ is: 'checked', taken: [] }).did, []);
    t.strictSame(rig.resume(5).did, []);
  }
  const declined = new Rig({ checkAddress: true }).bind().on({ is: 'checked', taken: [ADDRESS] });
  for (const rig of [new Rig(), new Rig().answered('offer'), new Rig({}, REMEMBERED), declined])
    t.strictSame(rig.on({ is: 'release' }).did, ['end'], 'nothing to give back');
});

t.test('another process goes on', async (t) => {
  const at = (later: number): string => {
    const rig = new Rig().bind(TIMES).resume(later * 1000);
    return [rig.state, ...rig.did].join(' ');
  };
  t.equal(at(0), 'BOUND');
  t.equal(at(1700), 'BOUND', 'nothing is sent before T1');
  t.equal(at(1800), `RENEWING request to ${SERVER} from ${ADDRESS}`);
  t.equal(at(2999), `RENEWING request to ${SERVER} from ${ADDRESS}`);
  t.equal(at(3000), `REBINDING request to everyone from ${ADDRESS}`);
  t.equal(at(3600), 'SELECTING lose expired discover to everyone');
  const renewing = new Rig().bind(TIMES).wake();
  t.strictSame(renewing.resume(10).did, [], 'an answer is still on its way');
  t.strictSame(renewing.answered('ack').did, ['hold']);
});

t.test('timers that are early, and events that cannot come', async (t) => {
  const rig = new Rig();
  rig.now += 10;
  const before = rig.wakeAt;
  t.strictSame(rig.on({ is: 'time' }).did, []);
  t.equal(rig.wakeAt, before);
  const checked: Event<Message4> = { is: 'checked', taken: [] };
  const duplicate: Event<Message4> = { is: 'duplicate', address: ADDRESS };
  const states: [Rig, Event<Message4>[]][] = [
    [new Rig(), [checked, duplicate]],
    [new Rig().answered('offer'), [checked, duplicate]],
    [new Rig().bind(), [checked]],
    [new Rig().bind().wake(), [checked]],
    [new Rig({}, REMEMBERED), [checked]],
    [new Rig({ checkAddress: true }).bind(), [{ is: 'time' }, duplicate]],
    [new Rig({ checkAddress: true }).bind().on({ is: 'checked', taken: [ADDRESS] }), [checked, duplicate]],
    [new Rig().on({ is: 'release' }), [{ is: 'time' }, duplicate, { is: 'release' }, { is: 'uncertain' }]],
  ];
  for (const [each, events] of states)
    for (const event of events) t.throws(() => each.on(event), TypeError, `${each.state}: ${event.is}`);
});
