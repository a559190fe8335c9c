/** What befalls a client of DHCPv6 beside answers and time. */
import t from 'tap';
import type { Event } from '../../ipam/dhcp/machine.ts';
import type { Lease6 } from '../../ipam/dhcp/lease.ts';
import { client6 } from '../../ipam/dhcp/v6/client.ts';
import type { Message6, Options6 } from '../../ipam/dhcp/v6/message.ts';
import { Bench } from './dhcp6-bench.ts';
import { LEASED, SERVER, TERMS, iaNaOf, iaPdOf } from './dhcp6-server.ts';
import { DUID, IAID, wishOf } from './dhcp6-wish.ts';
import type { Wish6 } from '../../ipam/dhcp/v6/client.ts';

const SECOND_ADDRESS = '2001:db8:50::114';
const PREFIX = '2001:db8:8000::/56';
const granted = iaNaOf(IAID, [LEASED]);
const from = (...parts: readonly Options6[]): Options6 => Object.assign({ serverId: SERVER }, ...parts);

function bound(offered: Options6 = granted, wish: Partial<Wish6> = {}, now?: number): Bench {
  const bench = new Bench(wishOf(wish), now === undefined ? {} : { now });
  bench.answer('ADVERTISE', from({ preference: 255 }, offered));
  bench.answer('REPLY', from(offered));
  return bench;
}

function remembered(offered: Options6 = granted, wish: Partial<Wish6> = {}): Lease6 {
  const { lease } = bound(offered, wish);
  if (lease === undefined) throw new Error('no lease');
  return lease;
}

const HOUR_LATER = 1_000_000 + 1800 * 1000;

t.test('a remembered lease is confirmed, not solicited', async (t) => {
  const bench = new Bench(wishOf(), { remembered: remembered(), now: HOUR_LATER });
  t.match(bench.asked, {
    type: 'CONFIRM',
    options: { iaNa: [{ options: { addresses: [{ address: LEASED }] } }] },
  });
  t.equal(bench.lease, undefined, 'not used before somebody confirms it');
  bench.answer('REPLY', from({ status: { code: 0, text: '' } }));
  t.match([bench.deeds, bench.lease?.since], [['hold'], 1_000_000]);
  bench.after(0);
  t.equal(bench.state, 'REBINDING', 'T2 has passed meanwhile');
});

t.test('a remembered lease of another link is forgotten', async (t) => {
  const bench = new Bench(wishOf(), { remembered: remembered(), now: HOUR_LATER });
  bench.answer('REPLY', from({ status: { code: 4, text: '' } }));
  t.strictSame([bench.state, bench.deeds], ['SOLICITING', []]);
  t.strictSame(bench.asked.options.iaNa?.[0]?.options.addresses ?? [], []);
});

t.test('a remembered lease that nobody confirms is used; one that ends meanwhile is not', async (t) => {
  const bench = new Bench(wishOf(), { remembered: remembered(), now: HOUR_LATER });
  bench.until(HOUR_LATER + 10_000);
  t.strictSame([bench.deeds, bench.lease?.addresses.length], [['hold'], 1]);
  const late = new Bench(wishOf(), { remembered: remembered(), now: 1_000_000 + 2_995_000 });
  late.after(6);
  t.strictSame([late.state, late.deeds], ['SOLICITING', []]);
});

t.test('a remembered lease with a prefix is rebound', async (t) => {
  const wish = { addresses: true, prefixes: 2 };
  const offered = { ...granted, ...iaPdOf(IAID, [PREFIX, '2001:db8:9000::/56']) };
  const lease = remembered(offered, wish);
  const plain = {
    ...lease,
    prefixes: lease.prefixes.map(({ prefix, validFor = 0 }) => ({ prefix, validFor })),
  };
  for (const kept of [lease, plain]) {
    const bench = new Bench(wishOf(wish), { remembered: kept, now: HOUR_LATER });
    t.match(bench.asked, {
      type: 'REBIND',
      options: {
        iaPd: [
          { iaid: IAID, options: { prefixes: [{ prefix: PREFIX }] } },
          { iaid: IAID + 1, options: { prefixes: [{ prefix: '2001:db8:9000::/56' }] } },
        ],
      },
    });
    bench.answer('REPLY', from(offered));
    t.strictSame([bench.state, bench.deeds, bench.lease?.since], ['BOUND', ['hold'], HOUR_LATER]);
  }
});

t.test('a remembered prefix goes back into the association it came in', async (t) => {
  const second = remembered(iaPdOf(IAID + 1, [PREFIX]), { addresses: false, prefixes: 2 });
  const bench = new Bench(wishOf({ addresses: false, prefixes: 2 }), { remembered: second, now: HOUR_LATER });
  t.match(bench.asked, {
    type: 'REBIND',
    options: { iaPd: [{ iaid: IAID }, { iaid: IAID + 1, options: { prefixes: [{ prefix: PREFIX }] } }] },
  });
  const fewer = new Bench(wishOf({ prefixes: 1 }), { remembered: second, now: HOUR_LATER });
  t.equal(fewer.asked.type, 'SOLICIT', 'it is not wished for any more');
});

t.test('a remembered lease that is over is asked for by name', async (t) => {
  const bench = new Bench(wishOf(), { remembered: remembered(), now: 1_000_000 + 3_000_000 });
  t.match(bench.asked, {
    type: 'SOLICIT',
    options: { iaNa: [{ options: { addresses: [{ address: LEASED }] } }] },
  });
  const future = new Bench(wishOf(), { remembered: remembered(), now: 5000 });
  t.equal(future.asked.type, 'SOLICIT', 'of another boot');
  const unwished = new Bench(wishOf({ addresses: false, prefixes: 1 }), {
    remembered: remembered(),
    now: HOUR_LATER,
  });
  t.equal(unwished.asked.type, 'SOLICIT');
  const stateless = new Bench(wishOf({ stateless: true }), { remembered: remembered(), now: HOUR_LATER });
  t.equal(stateless.asked.type, 'INFORMATION-REQUEST');
});

t.test('another process goes on without asking as long as the lease is valid', async (t) => {
  const bench = bound();
  const { now } = bench;
  bench.resumeAt(now + 1500_000);
  t.equal(bench.sent.length, 2);
  bench.after(0);
  t.equal(bench.asked.type, 'RENEW', 'T1 passed while nobody was there');
  const late = bound();
  late.resumeAt(late.now + 3_000_000);
  t.strictSame([late.state, late.deeds], ['SOLICITING', ['hold', 'lose expired']]);
});

t.test('release gives everything back', async (t) => {
  const bench = bound({ ...granted, ...iaPdOf(IAID, [PREFIX]) }, { prefixes: 1 });
  bench.feed({ is: 'release' });
  t.match(bench.asked, {
    type: 'RELEASE',
    options: {
      clientId: DUID,
      serverId: SERVER,
      iaNa: [{ iaid: IAID, options: { addresses: [{ address: LEASED }] } }],
      iaPd: [{ iaid: IAID, options: { prefixes: [{ prefix: PREFIX }] } }],
    },
  });
  t.equal(bench.asked.options.optionRequest, undefined);
  t.equal(bench.lease, undefined);
  bench.feed({ is: 'release' });
  bench.feed({ is: 'uncertain' });
  t.equal(bench.sent.length, 3);
  bench.answer('REPLY', from({ status: { code: 3, text: '' } }));
  t.strictSame([bench.state, bench.deeds.at(-1)], ['RELEASED', 'end']);
});

t.test('release where nothing is leased', async (t) => {
  const soliciting = new Bench(wishOf());
  soliciting.feed({ is: 'release' });
  t.strictSame([soliciting.state, soliciting.deeds, soliciting.sent.length], ['RELEASED', ['end'], 1]);
  const informed = new Bench(wishOf({ stateless: true }));
  informed.answer('REPLY', from());
  informed.feed({ is: 'release' });
  t.strictSame([informed.state, informed.deeds], ['RELEASED', ['hold', 'end']]);
  const requesting = new Bench(wishOf());
  requesting.answer('ADVERTISE', from(granted));
  requesting.feed({ is: 'release' });
  t.match(
    requesting.asked,
    { type: 'RELEASE', options: { serverId: SERVER, iaNa: [{}] } },
    'it may be leased by now',
  );
  const confirming = new Bench(wishOf(), { remembered: remembered(), now: HOUR_LATER });
  confirming.feed({ is: 'release' });
  t.equal(confirming.asked.type, 'RELEASE');
});

t.test('a duplicate is declined, then another solicited', async (t) => {
  const bench = bound();
  bench.feed({ is: 'duplicate', address: '2001:db8::99' });
  t.equal(bench.state, 'BOUND', 'not ours');
  bench.feed({ is: 'duplicate', address: LEASED });
  t.strictSame([bench.state, bench.deeds], ['DECLINING', ['hold', 'lose duplicate']]);
  t.equal(bench.lease, undefined);
  bench.answer('REPLY', from({ status: { code: 0, text: '' } }));
  t.equal(bench.asked.type, 'SOLICIT');
});

t.test('setbacks are forgotten once a lease has lived to be renewed', async (t) => {
  const bench = bound();
  bench.feed({ is: 'duplicate', address: LEASED });
  bench.answer('REPLY', from());
  t.equal(bench.data.setbacks, 1);
  bench.answer('ADVERTISE', from({ preference: 255 }, granted));
  bench.answer('REPLY', from(granted));
  t.equal(bench.data.setbacks, 1);
  bench.after(TERMS.t1);
  t.equal(bench.data.setbacks, 0);
});

t.test('a station that takes every address does not make a storm', async (t) => {
  const bench = new Bench(wishOf());
  const start = bench.now;
  while (bench.now < start + 3_600_000) {
    if (bench.asked.type === 'SOLICIT') bench.answer('ADVERTISE', from(granted));
    if (bench.asked.type === 'REQUEST') bench.answer('REPLY', from(granted));
    if (bench.lease) bench.feed({ is: 'duplicate', address: LEASED });
    if (bench.asked.type === 'DECLINE') bench.answer('REPLY', from());
    bench.until(bench.wakeAt ?? 0);
  }
  t.ok(bench.sent.length < 150, `${bench.sent.length} messages in an hour`);
});

t.test('of two addresses the other stays in use', async (t) => {
  const bench = bound(iaNaOf(IAID, [LEASED, SECOND_ADDRESS]));
  bench.feed({ is: 'duplicate', address: LEASED });
  t.strictSame(
    bench.lease?.addresses.map(({ address }) => address),
    [SECOND_ADDRESS],
  );
  t.match(bench.asked.options.iaNa?.[0]?.options.addresses, [{ address: LEASED }]);
  bench.answer('REPLY', from());
  t.strictSame([bench.state, bench.deeds], ['BOUND', ['hold', 'hold']]);
  const both = bound(iaNaOf(IAID, [LEASED, SECOND_ADDRESS]));
  both.feed({ is: 'duplicate', address: LEASED });
  both.feed({ is: 'duplicate', address: SECOND_ADDRESS });
  t.match(both.asked, {
    type: 'DECLINE',
    options: {
      serverId: SERVER,
      iaNa: [{ options: { addresses: [{ address: LEASED }, { address: SECOND_ADDRESS }] } }],
    },
  });
  t.equal(both.lease, undefined);
});

t.test('with a prefix left, a RENEW asks for another address', async (t) => {
  const bench = bound({ ...granted, ...iaPdOf(IAID, [PREFIX]) }, { prefixes: 1 });
  bench.feed({ is: 'duplicate', address: LEASED });
  bench.answer('REPLY', from());
  t.match(bench.asked, { type: 'RENEW', options: { iaNa: [{ iaid: IAID }], iaPd: [{ iaid: IAID }] } });
  t.strictSame(bench.asked.options.iaNa?.[0]?.options.addresses ?? [], []);
  bench.answer('REPLY', from(iaNaOf(IAID, [SECOND_ADDRESS]), iaPdOf(IAID, [PREFIX])));
  t.match(bench.lease, { addresses: [{ address: SECOND_ADDRESS }], prefixes: [{ prefix: PREFIX }] });
});

t.test('what is left while declining can end', async (t) => {
  const bench = bound(
    { ...granted, ...iaPdOf(IAID, [PREFIX], { t1: 2, t2: 3, preferred: 5, valid: 6 }) },
    { prefixes: 1 },
  );
  bench.feed({ is: 'duplicate', address: LEASED });
  bench.after(7);
  t.strictSame([bench.state, bench.lease, bench.deeds.at(-1)], ['DECLINING', undefined, 'lose expired']);
  bench.after(15);
  t.equal(bench.state, 'SOLICITING');
});

t.test('uncertain: what a state has at stake', async (t) => {
  const soliciting = new Bench(wishOf());
  soliciting.feed({ is: 'uncertain' });
  t.strictSame([soliciting.state, soliciting.sent.length], ['SOLICITING', 1]);
  const requesting = new Bench(wishOf());
  requesting.answer('ADVERTISE', from(granted));
  requesting.feed({ is: 'uncertain' });
  t.equal(requesting.asked.type, 'SOLICIT');
  const informed = new Bench(wishOf({ stateless: true }));
  informed.answer('REPLY', from());
  informed.feed({ is: 'uncertain' });
  t.equal(informed.state, 'INFORMING');
  informed.after(1);
  t.equal(informed.sent.length, 2);
  for (const after of [TERMS.t1, TERMS.t2]) {
    const bench = bound();
    bench.after(after);
    bench.feed({ is: 'uncertain' });
    t.equal(bench.state, 'CONFIRMING');
    bench.feed({ is: 'uncertain' });
    bench.after(1);
    t.equal(bench.asked.type, 'CONFIRM');
  }
});

t.test('events that cannot come', async (t) => {
  const make: Record<string, () => Bench> = {
    SOLICITING: () => new Bench(wishOf()),
    REQUESTING: () => {
      const bench = new Bench(wishOf());
      bench.answer('ADVERTISE', from(granted));
      return bench;
    },
    BOUND: () => bound(),
    RELEASED: () => {
      const bench = new Bench(wishOf());
      bench.feed({ is: 'release' });
      return bench;
    },
    RELEASING: () => {
      const bench = bound();
      bench.feed({ is: 'release' });
      return bench;
    },
    DECLINING: () => {
      const bench = bound();
      bench.feed({ is: 'duplicate', address: LEASED });
      return bench;
    },
    CONFIRMING: () => new Bench(wishOf(), { remembered: remembered(), now: HOUR_LATER }),
    INFORMING: () => new Bench(wishOf({ stateless: true })),
  };
  const duplicate: Event<Message6> = { is: 'duplicate', address: LEASED };
  const impossible: Record<string, readonly Event<Message6>[]> = {
    SOLICITING: [duplicate],
    REQUESTING: [duplicate],
    BOUND: [],
    RELEASED: [duplicate, { is: 'time' }, { is: 'uncertain' }, { is: 'release' }],
    RELEASING: [duplicate],
    DECLINING: [duplicate],
    CONFIRMING: [duplicate],
    INFORMING: [duplicate],
  };
  for (const [state, events] of Object.entries(impossible)) {
    for (const event of [...events, { is: 'checked', taken: [] } as const]) {
      const bench = make[state]?.();
      t.equal(bench?.state, state);
      t.throws(() => bench?.feed(event), TypeError, `${event.is} in ${state}`);
    }
  }
});

t.test('what is asked and said besides', async (t) => {
  const wish = wishOf({
    duid: DUID.toUpperCase(),
    fqdn: 'boat.example.',
    provide: { 16: '0000ab1100016e' },
    request: [23, 82],
    rapidCommit: true,
  });
  const bench = new Bench(wish);
  t.match(bench.asked.options, {
    clientId: DUID,
    optionRequest: [23, 82],
    clientFqdn: { flags: 1, name: 'boat.example.' },
    vendorClasses: [{ enterprise: 0xab11, classes: ['6e'] }],
    rapidCommit: true,
  });
  t.equal(bench.asked.options.optionRequest?.length, 2);
  const { data } = client6.begin(wishOf(), { now: 0, random: () => 0 });
  t.equal(client6.stateOf(data), 'SOLICITING');
});
