/** Which answers a client of DHCPv6 heeds, and what it makes of them (RFC 9915, sections 16 and 18.2). */
import t from 'tap';
import type { Options6 } from '../../ipam/dhcp/v6/message.ts';
import { Bench } from './dhcp6-bench.ts';
import { LEASED, SERVER, TERMS, iaNaOf, iaPdOf } from './dhcp6-server.ts';
import { DUID, IAID, wishOf } from './dhcp6-wish.ts';
import type { Wish6 } from '../../ipam/dhcp/v6/client.ts';

const OTHER = '000200000009aabb';
const PREFIX = '2001:db8:8000::/56';

const status = (code: number): Options6 => ({ status: { code, text: '' } });
const failing = (code: number): Options6 => ({ iaNa: [{ iaid: IAID, t1: 0, t2: 0, options: status(code) }] });
const from = (server: string, ...parts: readonly Options6[]): Options6 =>
  Object.assign({ serverId: server }, ...parts);

const granted = iaNaOf(IAID, [LEASED]);

function requesting(wish: Partial<Wish6> = {}, offered: Options6 = granted): Bench {
  const bench = new Bench(wishOf(wish));
  bench.answer('ADVERTISE', from(SERVER, { preference: 255 }, offered));
  return bench;
}

function bound(wish: Partial<Wish6> = {}, offered: Options6 = granted): Bench {
  const bench = requesting(wish, offered);
  bench.answer('REPLY', from(SERVER, offered));
  return bench;
}

const BOTH = { addresses: true, prefixes: 1 };
const both = { ...granted, ...iaPdOf(IAID, [PREFIX]) };

function renewing(wish: Partial<Wish6> = {}, offered: Options6 = granted): Bench {
  const bench = bound(wish, offered);
  bench.after(TERMS.t1);
  return bench;
}

function rebinding(wish: Partial<Wish6> = {}, offered: Options6 = granted): Bench {
  const bench = bound(wish, offered);
  bench.after(TERMS.t2);
  return bench;
}

function confirming(wish: Partial<Wish6> = {}, offered: Options6 = granted): Bench {
  const bench = bound(wish, offered);
  bench.feed({ is: 'uncertain' });
  bench.after(1);
  return bench;
}

t.test('what is no answer to the question changes nothing', async (t) => {
  const stages: Record<string, () => Bench> = {
    SOLICITING: () => new Bench(wishOf({ rapidCommit: true })),
    REQUESTING: () => requesting(),
    RENEWING: () => renewing(),
    REBINDING: () => rebinding(),
    CONFIRMING: () => confirming(),
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
    INFORMING: () => new Bench(wishOf({ stateless: true })),
  };
  for (const [state, make] of Object.entries(stages)) {
    const bench = make();
    t.equal(bench.state, state);
    const before = bench.data;
    const good = from(SERVER, granted, { rapidCommit: true });
    const bad: (() => void)[] = [
      () => bench.answer('REPLY', good, { transaction: (bench.asked.transaction + 1) % 2 ** 24 }),
      () => bench.answer('REPLY', { ...good, clientId: OTHER }),
      () => bench.receive({ type: 'REPLY', transaction: bench.asked.transaction, options: granted }),
      () => bench.answer('REPLY', granted),
      () => bench.answer('REPLY', good, { type: 'RECONFIGURE' }),
      () => bench.answer('REPLY', good, { type: 'SOLICIT' }),
    ];
    if (state !== 'SOLICITING') bad.push(() => bench.answer('ADVERTISE', good));
    for (const send of bad) send();
    if (['REQUESTING', 'RENEWING', 'RELEASING', 'DECLINING'].includes(state))
      bench.answer('REPLY', { ...good, serverId: OTHER });
    t.strictSame(bench.data, before, state);
    bench.answer('REPLY', good);
    t.not(bench.state, state, `${state} hears the right one`);
  }
});

t.test('in states that ask nothing no message counts', async (t) => {
  const bench = bound();
  const before = bench.data;
  const { transaction } = bench.asked;
  const again = from(SERVER, { clientId: DUID }, iaNaOf(IAID, ['2001:db8:bad::1']));
  bench.receive({ type: 'REPLY', transaction, options: again });
  t.strictSame(bench.data, before, 'a REPLY replayed');
  bench.feed({ is: 'release' });
  bench.answer('REPLY', from(SERVER));
  t.equal(bench.state, 'RELEASED');
  bench.receive({ type: 'REPLY', transaction, options: again });
  t.equal(bench.lease, undefined);
});

t.test('before its first message nobody can have answered', async (t) => {
  const bench = new Bench(wishOf({ patient: true, rapidCommit: true }));
  const { data } = bench;
  if (data.state !== 'SOLICITING') throw new Error(data.state);
  const { transaction } = data.exchange;
  const options = from(SERVER, granted, { clientId: DUID, rapidCommit: true });
  bench.receive({ type: 'REPLY', transaction, options });
  t.strictSame(bench.data, data);
});

t.test('what of a REQUEST comes back counts', async (t) => {
  const bench = requesting();
  t.match(bench.asked, {
    type: 'REQUEST',
    options: { serverId: SERVER, clientId: DUID, optionRequest: [23, 24, 82], elapsedTime: 0 },
  });
  const dnsServers = ['2001:db8::53', 'fe80::53', 'ff02::fb', '::', '::1'];
  bench.answer('REPLY', from(SERVER, granted, { dnsServers, domainList: ['lan.example'] }));
  t.strictSame(bench.lease, {
    server: SERVER,
    serverAddress: 'fe80::1',
    since: bench.now,
    renewAfter: 1000,
    rebindAfter: 1600,
    validFor: 3000,
    addresses: [{ address: LEASED, preferredFor: 2000, validFor: 3000 }],
    prefixes: [],
    dns: { nameservers: ['2001:db8::53', 'fe80::53'], search: ['lan.example'] },
  });
  t.strictSame(bench.deeds, ['hold']);
});

t.test('a lease counts from when it was asked for last', async (t) => {
  const bench = requesting();
  bench.after(5);
  const asked = bench.sent.at(-1)?.at;
  bench.after(0.5);
  bench.answer('REPLY', from(SERVER, granted));
  t.equal(bench.lease?.since, asked);
});

t.test('addresses that cannot be leased are not', async (t) => {
  const bad = ['ff02::1', '::', '::1', 'fe80::5', '::ffff:10.0.0.1'];
  const bench = requesting({}, iaNaOf(IAID, [...bad, LEASED, LEASED]));
  bench.answer('REPLY', from(SERVER, iaNaOf(IAID, [...bad, LEASED, LEASED])));
  t.strictSame(
    bench.lease?.addresses.map(({ address }) => address),
    [LEASED],
  );
  const none = requesting({}, iaNaOf(IAID, bad));
  t.equal(none.state, 'SOLICITING');
  const twisted = requesting({}, iaNaOf(IAID, [LEASED], { ...TERMS, preferred: 3001 }));
  t.equal(twisted.state, 'SOLICITING', 'preferred longer than valid');
  const reversed = requesting({}, iaNaOf(IAID, [LEASED], { ...TERMS, t1: 1601 }));
  t.equal(reversed.state, 'SOLICITING', 'T1 beyond T2');
  const refused = { address: LEASED, preferred: 1, valid: 1, options: status(2) };
  const parts = requesting({}, { iaNa: [{ iaid: IAID, t1: 0, t2: 0, options: { addresses: [refused] } }] });
  t.equal(parts.state, 'SOLICITING', 'an address with an error');
  const many = Array.from({ length: 200 }, (_, index) => `2001:db8::${(index + 1).toString(16)}`);
  t.equal(bound({}, iaNaOf(IAID, many)).lease?.addresses.length, 16);
  t.equal(requesting({}, iaNaOf(IAID + 1, [LEASED])).state, 'SOLICITING', 'an IAID of somebody else');
});

t.test('prefixes lose their host bits, and wrong ones are not delegated', async (t) => {
  const offered = iaPdOf(IAID, ['2001:db8:8000:ff::1/56', 'fe80::/64', '::/0', 'ff00::/8', '::/56']);
  const bench = bound({ addresses: false, prefixes: 5 }, offered);
  t.match(bench.lease?.prefixes, [{ prefix: '2001:db8:8000::/56', iaid: IAID }]);
  t.equal(bench.lease?.prefixes.length, 1);
});

t.test('an answer with a status', async (t) => {
  const cases: [string, Options6, string][] = [
    ['NoAddrsAvail in the IA', failing(2), 'SOLICITING'],
    ['NoAddrsAvail', status(2), 'SOLICITING'],
    ['NotOnLink', status(4), 'SOLICITING'],
    ['NotOnLink in the IA', failing(4), 'SOLICITING'],
    ['UnspecFail', { ...status(1), ...granted }, 'REQUESTING'],
    ['UseMulticast', status(5), 'REQUESTING'],
    ['nothing', {}, 'SOLICITING'],
    [
      'an address beside an error',
      {
        iaNa: [
          {
            ...granted.iaNa?.[0],
            iaid: IAID,
            t1: 0,
            t2: 0,
            options: { ...granted.iaNa?.[0]?.options, ...status(2) },
          },
        ],
      },
      'SOLICITING',
    ],
  ];
  for (const [what, answer, state] of cases) {
    const bench = requesting();
    bench.answer('REPLY', from(SERVER, answer));
    t.equal(bench.state, state, what);
    t.strictSame(bench.deeds, [], what);
  }
});

t.test('an ADVERTISE that grants nothing is not taken', async (t) => {
  for (const answer of [failing(2), status(2), {}, { ...granted, ...status(2) }]) {
    const bench = requesting({}, answer);
    bench.after(3);
    t.equal(bench.state, 'SOLICITING');
    t.ok(bench.notes.length > 0);
  }
});

t.test('a server that keeps its promises is preferred after one that did not', async (t) => {
  const bench = requesting();
  bench.answer('REPLY', from(SERVER, failing(2)));
  bench.answer('ADVERTISE', from(SERVER, { preference: 255 }, granted));
  t.equal(bench.state, 'SOLICITING', 'once bitten');
  bench.answer('ADVERTISE', from(OTHER, { preference: 0 }, iaNaOf(IAID, ['2001:db8:60::1'])));
  t.match(bench.asked, { type: 'REQUEST', options: { serverId: OTHER } });
  const alone = requesting();
  alone.answer('REPLY', from(SERVER, failing(2)));
  alone.answer('ADVERTISE', from(SERVER, { preference: 255 }, granted));
  alone.after(1.2);
  t.match(alone.asked, { type: 'REQUEST', options: { serverId: SERVER } }, 'better than none');
});

t.test('after the first timeout the first ADVERTISE is taken', async (t) => {
  const bench = new Bench(wishOf({ patient: true }));
  bench.after(1);
  const [{ at = 0 } = {}] = bench.sent;
  bench.until(at + 1000);
  bench.answer('ADVERTISE', from(OTHER, iaNaOf(IAID, ['2001:db8:60::1'])));
  t.equal(bench.state, 'SOLICITING', 'another may be better');
  const late = new Bench(wishOf({ patient: true }));
  late.after(3);
  late.answer('ADVERTISE', from(OTHER, iaNaOf(IAID, ['2001:db8:60::1'])));
  t.equal(late.state, 'REQUESTING');
});

t.test('a server that promises and refuses for ever is asked ever more rarely', async (t) => {
  const bench = new Bench(wishOf());
  const start = bench.now;
  while (bench.now < start + 3_600_000) {
    if (bench.asked.type === 'SOLICIT') bench.answer('ADVERTISE', from(SERVER, granted));
    if (bench.asked.type === 'REQUEST') bench.answer('REPLY', from(SERVER, failing(2)));
    bench.until(bench.wakeAt ?? 0);
  }
  t.ok(bench.sent.length < 100, `${bench.sent.length} messages in an hour`);
});

t.test('rapid commit: only where both want it', async (t) => {
  const bench = new Bench(wishOf({ rapidCommit: true }));
  t.equal(bench.asked.options.rapidCommit, true);
  bench.answer('REPLY', from(SERVER, granted));
  t.equal(bench.state, 'SOLICITING', 'without the option');
  bench.answer('REPLY', from(SERVER, granted, { rapidCommit: true }, status(1)));
  bench.answer('REPLY', from(SERVER, failing(2), { rapidCommit: true }));
  t.equal(bench.state, 'SOLICITING', 'nothing committed');
  bench.answer('REPLY', from(SERVER, granted, { rapidCommit: true }));
  t.equal(bench.state, 'BOUND');
  t.equal(bench.sent.length, 1);
  const unasked = new Bench(wishOf());
  unasked.answer('REPLY', from(SERVER, granted, { rapidCommit: true }));
  t.equal(unasked.state, 'SOLICITING');
});

t.test('RENEW: prolonged, changed, dropped', async (t) => {
  const same = renewing();
  same.answer('REPLY', from(SERVER, granted));
  t.match([same.state, same.lease?.since], ['BOUND', same.now]);

  const other = '2001:db8:50::114';
  const changed = renewing();
  const leases = [...(granted.iaNa?.[0]?.options.addresses ?? [])].map((each) => ({
    ...each,
    valid: 0,
    preferred: 0,
  }));
  const fresh = iaNaOf(IAID, [other]).iaNa?.[0]?.options.addresses ?? [];
  changed.answer(
    'REPLY',
    from(SERVER, { iaNa: [{ iaid: IAID, t1: 50, t2: 80, options: { addresses: [...leases, ...fresh] } }] }),
  );
  t.match(changed.lease, { addresses: [{ address: other }], renewAfter: 50 });
  t.equal(changed.lease?.addresses.length, 1);
  t.strictSame(changed.deeds, ['hold', 'hold']);

  const more = renewing();
  more.answer('REPLY', from(SERVER, iaNaOf(IAID, [other])));
  t.strictSame(
    more.lease?.addresses,
    [
      { address: other, preferredFor: 2000, validFor: 3000 },
      { address: LEASED, preferredFor: 1000, validFor: 2000 },
    ],
    'what is not mentioned goes on as it was',
  );

  const gone = renewing();
  gone.answer(
    'REPLY',
    from(SERVER, { iaNa: [{ iaid: IAID, t1: 0, t2: 0, options: { addresses: leases } }] }),
  );
  t.strictSame([gone.state, gone.deeds], ['SOLICITING', ['hold', 'lose refused']]);
  t.equal(gone.asked.type, 'SOLICIT');
});

t.test('RENEW: answers that do not help are waited out', async (t) => {
  for (const answer of [status(1), {}, failing(2), failing(1), status(5)]) {
    const bench = renewing();
    bench.answer('REPLY', from(SERVER, answer));
    t.equal(bench.state, 'RENEWING');
    bench.after(TERMS.t2 - TERMS.t1);
    t.equal(bench.state, 'REBINDING');
  }
});

t.test('NoBinding: the same server is asked to bind it again, while it is used', async (t) => {
  for (const answer of [failing(3), status(3)]) {
    const bench = renewing();
    bench.answer('REPLY', from(SERVER, answer));
    t.match([bench.state, bench.asked.options.serverId], ['REQUESTING', SERVER]);
    t.match(bench.asked.options, { iaNa: [{ options: { addresses: [{ address: LEASED }] } }] });
    t.ok(bench.lease);
    bench.answer('REPLY', from(SERVER, iaNaOf(IAID, ['2001:db8:50::99'])));
    t.strictSame(
      bench.lease?.addresses.map(({ address }) => address),
      ['2001:db8:50::99'],
      'anew: the old one is not the client’s any more',
    );
    t.strictSame(bench.deeds, ['hold', 'hold']);
  }
  const refused = renewing();
  refused.answer('REPLY', from(SERVER, failing(3)));
  refused.answer('REPLY', from(SERVER, failing(2)));
  t.strictSame([refused.state, refused.deeds], ['SOLICITING', ['hold', 'lose refused']]);
  const silent = renewing();
  silent.answer('REPLY', from(SERVER, failing(3)));
  silent.after(300);
  t.strictSame([silent.state, silent.deeds], ['SOLICITING', ['hold', 'lose refused']]);
  const short = bound({}, iaNaOf(IAID, [LEASED], { t1: 2, t2: 3, preferred: 5, valid: 6 }));
  short.after(2);
  short.answer('REPLY', from(SERVER, failing(3)));
  short.after(4);
  t.strictSame([short.state, short.deeds], ['SOLICITING', ['hold', 'lose expired']]);
});

t.test('REBIND: another server may take over', async (t) => {
  const bench = rebinding();
  bench.answer('REPLY', from(OTHER, granted));
  t.match(bench.lease, { server: OTHER });
  const unbound = rebinding();
  unbound.answer('REPLY', from(OTHER, failing(3)));
  t.match([unbound.state, unbound.asked.options.serverId], ['REQUESTING', OTHER]);
});

t.test('addresses and prefixes at once', async (t) => {
  const bench = bound(BOTH, both);
  t.match(bench.lease, { addresses: [{ address: LEASED }], prefixes: [{ prefix: PREFIX, iaid: IAID }] });
  bench.after(TERMS.t1);
  t.match(bench.asked.options, {
    iaNa: [{ iaid: IAID }],
    iaPd: [{ iaid: IAID, options: { prefixes: [{ prefix: PREFIX }] } }],
  });
  bench.answer('REPLY', from(SERVER, granted));
  t.match(bench.lease, {
    addresses: [{ validFor: 3000 }],
    prefixes: [{ prefix: PREFIX, validFor: 2000 }],
    validFor: 3000,
  });
  bench.after(TERMS.t1);
  bench.answer('REPLY', from(SERVER, granted));
  bench.after(TERMS.t1 - 1);
  t.equal(bench.lease?.prefixes.length, 1);
  bench.after(1);
  t.strictSame(bench.lease?.prefixes, [], 'a part that ends, ends alone');
  t.strictSame(bench.lease?.addresses.length, 1);
  t.notOk(bench.deeds.includes('lose expired'));
});

t.test('one association bound anew, the other goes on', async (t) => {
  const bench = renewing(BOTH, both);
  const unbound = { iaPd: [{ iaid: IAID, t1: 0, t2: 0, options: status(3) }] };
  bench.answer('REPLY', from(SERVER, granted, unbound));
  t.equal(bench.state, 'REQUESTING');
  t.strictSame(bench.deeds, ['hold', 'hold'], 'the address is prolonged already');
  bench.answer('REPLY', from(SERVER, granted, iaPdOf(IAID, ['2001:db8:9000::/56'])));
  t.match(bench.lease?.prefixes, [{ prefix: '2001:db8:9000::/56' }]);
  t.equal(bench.lease?.prefixes.length, 1);
});

t.test('several prefixes, each an association with its hint', async (t) => {
  const bench = new Bench(
    wishOf({ addresses: false, prefixes: ['::/56', '2001:db8:7::/48'], iaid: 0xffffffff }),
  );
  t.match(bench.asked.options.iaPd, [
    { iaid: 0xffffffff, options: { prefixes: [{ prefix: '::/56' }] } },
    { iaid: 0, options: { prefixes: [{ prefix: '2001:db8:7::/48' }] } },
  ]);
  t.equal(bench.asked.options.iaNa, undefined);
});

t.test('a server that grants less is taken after the first timeout, and asked for the rest', async (t) => {
  const bench = new Bench(wishOf(BOTH));
  bench.answer('ADVERTISE', from(SERVER, granted));
  t.equal(bench.state, 'SOLICITING');
  bench.after(1.2);
  t.match(bench.asked, { type: 'REQUEST', options: { iaPd: [{ iaid: IAID }] } });
  bench.answer('REPLY', from(SERVER, granted));
  t.match(bench.lease, { addresses: [{ address: LEASED }], prefixes: [] });
  bench.after(TERMS.t1);
  t.match(bench.asked, { type: 'RENEW', options: { iaPd: [{ iaid: IAID }] } });
});

t.test('CONFIRM', async (t) => {
  const well = confirming();
  t.equal(well.asked.type, 'CONFIRM');
  t.strictSame(well.asked.options.serverId, undefined);
  well.answer('REPLY', from(OTHER, status(0)));
  t.strictSame([well.state, well.deeds], ['BOUND', ['hold', 'hold']]);
  const moved = confirming();
  moved.answer('REPLY', from(OTHER, status(4)));
  t.strictSame([moved.state, moved.deeds], ['SOLICITING', ['hold', 'lose moved']]);
  const odd = confirming();
  odd.answer('REPLY', from(OTHER, status(1)));
  t.equal(odd.state, 'CONFIRMING');
});

t.test('with prefixes a REBIND asks, as fast as a CONFIRM', async (t) => {
  const bench = confirming(BOTH, both);
  t.match(bench.asked, { type: 'REBIND', options: { iaNa: [{}], iaPd: [{}] } });
  t.equal(bench.state, 'CONFIRMING');
  bench.answer('REPLY', from(OTHER, both));
  t.match([bench.state, bench.lease?.server], ['BOUND', OTHER]);
  const silent = confirming(BOTH, both);
  silent.after(10);
  t.strictSame([silent.state, silent.lease?.server], ['BOUND', SERVER]);
  const elsewhere = confirming(BOTH, both);
  const dead = { preferred: 0, valid: 0, options: {} };
  elsewhere.answer('REPLY', {
    serverId: OTHER,
    iaNa: [{ iaid: IAID, t1: 0, t2: 0, options: { addresses: [{ address: LEASED, ...dead }] } }],
    iaPd: [{ iaid: IAID, t1: 0, t2: 0, options: { prefixes: [{ prefix: PREFIX, ...dead }] } }],
  });
  t.strictSame([elsewhere.state, elsewhere.deeds], ['SOLICITING', ['hold', 'lose refused']]);
});
