/** When a client of DHCPv6 asks, asks again, and gives up (RFC 9915, sections 7.6 and 15). */
import t from 'tap';
import { Bench } from './dhcp6-bench.ts';
import type { BenchOptions } from './dhcp6-bench.ts';
import { LEASED, SERVER, iaNaOf } from './dhcp6-server.ts';
import type { Terms6 } from './dhcp6-server.ts';
import { DUID, IAID, wishOf } from './dhcp6-wish.ts';
import type { Wish6 } from '../../ipam/dhcp/v6/client.ts';

const NEVER = 0xffffffff;

function bound(terms?: Terms6, options?: BenchOptions, wish?: Partial<Wish6>): Bench {
  const bench = new Bench(wishOf(wish), options);
  if (bench.sent.length === 0) bench.after(1);
  bench.answer('ADVERTISE', { serverId: SERVER, preference: 255, ...iaNaOf(IAID, [LEASED], terms) });
  bench.answer('REPLY', { serverId: SERVER, ...iaNaOf(IAID, [LEASED], terms) });
  return bench;
}

/** Types and the seconds between them. */
function rhythm(bench: Bench, since: number): { types: Set<string>; gaps: number[]; ids: Set<number> } {
  const sent = bench.sent.filter(({ at }) => at >= since);
  return {
    types: new Set(sent.map(({ message }) => message.type)),
    gaps: sent.slice(1).map(({ at }, index) => (at - (sent[index]?.at ?? 0)) / 1000),
    ids: new Set(sent.map(({ message }) => message.transaction)),
  };
}

/** What the gaps are where chance has no part: RAND is 0 for 0.5. */
const EVEN = { random: () => 0.5 };

t.test('SOLICIT is sent for ever, up to once in an hour', async (t) => {
  const bench = new Bench(wishOf(), { seed: 4 });
  const { now } = bench;
  bench.after(86_400);
  const { types, gaps, ids } = rhythm(bench, now);
  t.strictSame([types.size, ids.size], [1, 1]);
  t.ok((gaps[0] ?? 0) > 1 && (gaps[0] ?? 0) <= 1.1, 'the first RAND is above 0');
  for (const [index, gap] of gaps.slice(1, 11).entries()) {
    const ratio = gap / (gaps[index] ?? 0);
    t.ok(ratio >= 1.9 && ratio <= 2.1, `doubled: ${ratio}`);
  }
  t.ok(
    gaps.slice(13).every((gap) => gap >= 3240 && gap <= 3960),
    `${gaps.at(-1)}`,
  );
  t.ok(gaps.length > 30);
});

t.test('the first RAND is above 0 even where chance gives the least and the most', async (t) => {
  for (const random of [() => 0, () => 1 - Number.EPSILON]) {
    const bench = new Bench(wishOf(), { random });
    bench.after(1.2);
    const [first, second] = bench.sent;
    const gap = (second?.at ?? 0) - (first?.at ?? 0);
    t.ok(gap > 1000 && gap <= 1100, `${gap}`);
  }
});

t.test('ELAPSED_TIME counts hundredths from the first message and stops at its end', async (t) => {
  const bench = new Bench(wishOf(), EVEN);
  bench.after(7200);
  const times = bench.sent.map(({ message }) => message.options.elapsedTime);
  t.equal(times[0], 0);
  t.equal(times[1], 105);
  t.equal(times.at(-1), 0xffff);
});

t.test('a server sets how rarely the client may ask', async (t) => {
  const bench = new Bench(wishOf(), EVEN);
  for (const wrong of [59, 86_401]) {
    bench.answer('ADVERTISE', { serverId: SERVER, solMaxRt: wrong });
    t.match(bench.data, { limits: { solicit: 3600, inform: 3600 } });
  }
  bench.answer('ADVERTISE', { serverId: SERVER, solMaxRt: 60, infMaxRt: 86_400 });
  t.match(bench.data, { state: 'SOLICITING', limits: { solicit: 60, inform: 86_400 } });
  bench.after(1000);
  t.equal(rhythm(bench, 0).gaps.at(-1), 60);
});

t.test('REQUEST: ten times in a rhythm of at most 30 s, then from the beginning', async (t) => {
  const bench = new Bench(wishOf(), EVEN);
  bench.after(0.01);
  bench.answer('ADVERTISE', { serverId: SERVER, ...iaNaOf(IAID, [LEASED]) });
  const { now } = bench;
  t.equal(bench.state, 'REQUESTING');
  bench.after(1 + 2 + 4 + 8 + 16 + 30 * 4);
  t.strictSame(rhythm(bench, now).gaps, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
  t.strictSame([...rhythm(bench, now).types], ['REQUEST']);
  bench.after(30);
  t.equal(bench.state, 'SOLICITING');
  t.equal(bench.asked.type, 'SOLICIT');
});

t.test('RAND is between -0.1 and 0.1, beyond the longest timeout as well', async (t) => {
  for (const [random, rand] of [
    [() => 0, -0.1],
    [() => 1 - 2 ** -24, 0.1],
  ] as const) {
    const bench = new Bench(wishOf(), { random });
    bench.after(0.01);
    bench.answer('ADVERTISE', { serverId: SERVER, ...iaNaOf(IAID, [LEASED]) });
    const { now } = bench;
    bench.after(120);
    const [first = 0, second = 0] = rhythm(bench, now).gaps;
    t.equal(first, 1 + rand);
    t.ok(Math.abs(second - first * (2 + rand)) < 0.002, `${second}`);
    t.equal(rhythm(bench, now).gaps.at(-1)?.toFixed(3), (30 * (1 + rand)).toFixed(3));
  }
});

t.test('RENEW from T1 until T2, REBIND until the end, then anew', async (t) => {
  const bench = bound({ t1: 3600, t2: 5760, preferred: 7200, valid: 10_800 }, EVEN);
  const start = bench.now;
  bench.until(start + 3_599_999);
  t.equal(bench.state, 'BOUND');
  bench.until(start + 3_600_000);
  t.equal(bench.state, 'RENEWING');
  t.match(bench.asked, { type: 'RENEW', options: { clientId: DUID, serverId: SERVER } });
  bench.until(start + 5_759_999);
  t.equal(bench.state, 'RENEWING');
  t.strictSame(rhythm(bench, start + 3_600_000).gaps, [10, 20, 40, 80, 160, 320, 600, 600]);
  bench.until(start + 5_760_000);
  t.equal(bench.state, 'REBINDING');
  t.equal(bench.asked.options.serverId, undefined, 'any server');
  bench.until(start + 10_799_999);
  t.strictSame(bench.deeds, ['hold']);
  t.equal(rhythm(bench, start + 5_760_000).gaps.at(-1), 600);
  bench.until(start + 10_800_000);
  t.equal(bench.state, 'SOLICITING');
  t.strictSame(bench.deeds, ['hold', 'lose expired']);
});

t.test('a short lease is renewed at T1 and T2 though the timeouts are longer', async (t) => {
  const bench = bound({ t1: 4, t2: 8, preferred: 12, valid: 16 }, EVEN);
  const start = bench.now;
  bench.after(20);
  const asked = bench.sent.filter(({ at }) => at > start);
  t.strictSame(
    asked.map(({ at, message }) => [(at - start) / 1000, message.type]),
    [
      [4, 'RENEW'],
      [8, 'REBIND'],
      [16, 'SOLICIT'],
      [17.051, 'SOLICIT'],
      [19.153, 'SOLICIT'],
    ],
  );
});

t.test('T1 and T2 of 0 are half and four fifths of the shortest preferred lifetime', async (t) => {
  t.match(bound({ t1: 0, t2: 0, preferred: 1000, valid: 3000 }).lease, { renewAfter: 500, rebindAfter: 800 });
  t.match(bound({ t1: 100, t2: 0, preferred: 1000, valid: 3000 }).lease, {
    renewAfter: 100,
    rebindAfter: 800,
  });
  t.match(bound({ t1: 900, t2: 0, preferred: 1000, valid: 3000 }).lease, {
    renewAfter: 900,
    rebindAfter: 900,
  });
  t.match(bound({ t1: 0, t2: 300, preferred: 1000, valid: 3000 }).lease, {
    renewAfter: 300,
    rebindAfter: 300,
  });
  t.match(bound({ t1: 0, t2: 0, preferred: 0, valid: 3000 }).lease, { renewAfter: 1500, rebindAfter: 2400 });
  const beyond = bound({ t1: 5000, t2: 6000, preferred: 1000, valid: 3000 }).lease;
  t.match(beyond, { renewAfter: 500, rebindAfter: 800 }, 'a T1 after the end is of no use');
  t.match(bound({ t1: 0, t2: 0, preferred: 5, valid: 5 }).lease, { renewAfter: 2.5, rebindAfter: 4 });
});

t.test('nobody can be made to ask all the time', async (t) => {
  const times = { preferred: 40_000, valid: 80_000 };
  t.match(bound({ t1: 1, t2: 2, ...times }).lease, { renewAfter: 20_000, rebindAfter: 32_000 });
  t.match(bound({ t1: 1, t2: 900, ...times }).lease, { renewAfter: 900, rebindAfter: 900 });
  t.match(bound({ t1: 30, t2: 30, ...times }).lease, { renewAfter: 30, rebindAfter: 30 });
  t.match(bound({ t1: 0, t2: 0, preferred: 1, valid: 80_000 }).lease, { renewAfter: 4, rebindAfter: 4 });
  t.match(bound({ t1: 1, t2: 1, preferred: NEVER, valid: NEVER }).lease, { renewAfter: undefined });
  t.match(bound({ t1: 0, t2: 0, preferred: 1, valid: 5 }).lease, { renewAfter: 2, rebindAfter: 2 });
  for (const valid of [1, 4]) t.equal(bound({ t1: 0, t2: 0, preferred: 1, valid }).state, 'SOLICITING');
});

t.test('for ever is for ever', async (t) => {
  const always = bound({ t1: NEVER, t2: NEVER, preferred: NEVER, valid: NEVER });
  t.equal(always.wakeAt, undefined);
  t.strictSame(always.lease?.addresses, [{ address: LEASED }]);
  t.strictSame(
    [always.lease?.renewAfter, always.lease?.rebindAfter, always.lease?.validFor],
    [undefined, undefined, undefined],
  );
  const chosen = bound({ t1: 0, t2: 0, preferred: NEVER, valid: NEVER });
  t.equal(chosen.wakeAt, undefined);
  const late = bound({ t1: NEVER, t2: NEVER, preferred: 10, valid: 20 });
  late.after(20);
  t.strictSame(late.deeds, ['hold', 'lose expired'], 'the server wants it to end');
  const rebound = bound({ t1: NEVER, t2: NEVER - 1, preferred: NEVER, valid: NEVER });
  t.equal(rebound.state, 'SOLICITING', 'T1 beyond T2: ignored');
  const onlyT2 = bound({ t1: 100, t2: NEVER, preferred: NEVER, valid: NEVER });
  onlyT2.after(86_400);
  t.equal(onlyT2.state, 'RENEWING');
});

t.test(
  'CONFIRM: after a random moment, in a rhythm of at most 4 s, for 10 s; then the lease goes on',
  async (t) => {
    const bench = bound(undefined, EVEN);
    bench.after(60);
    const { now } = bench;
    bench.feed({ is: 'uncertain' });
    t.equal(bench.state, 'CONFIRMING');
    bench.until(now + 499);
    t.equal(bench.asked.type, 'REQUEST');
    bench.until(now + 500);
    t.match(bench.asked, { type: 'CONFIRM', options: { iaNa: [{ iaid: IAID }] } });
    t.strictSame(bench.lease?.addresses.length, 1, 'in use meanwhile');
    bench.until(now + 10_499);
    t.strictSame(rhythm(bench, now).gaps, [1, 2, 4]);
    t.equal(bench.state, 'CONFIRMING');
    bench.until(now + 10_500);
    t.equal(bench.state, 'BOUND');
    t.strictSame(bench.deeds, ['hold', 'hold']);
  },
);

t.test('RELEASE and DECLINE: four times, then no matter', async (t) => {
  const releasing = bound(undefined, EVEN);
  releasing.feed({ is: 'release' });
  let start = releasing.now;
  releasing.after(14.9);
  t.strictSame(rhythm(releasing, start).gaps.slice(-3), [1, 2, 4]);
  t.strictSame(releasing.deeds, ['hold']);
  releasing.after(0.1);
  t.strictSame([releasing.state, releasing.deeds.at(-1)], ['RELEASED', 'end']);
  t.equal(releasing.wakeAt, undefined);

  const declining = bound(undefined, EVEN);
  declining.after(1);
  start = declining.now;
  declining.feed({ is: 'duplicate', address: LEASED });
  t.match(declining.asked, {
    type: 'DECLINE',
    options: { serverId: SERVER, iaNa: [{ options: { addresses: [{ address: LEASED }] } }] },
  });
  declining.after(14.9);
  t.strictSame(rhythm(declining, start).gaps, [1, 2, 4]);
  declining.after(0.1);
  t.equal(declining.state, 'SOLICITING');
});

t.test('INFORMATION-REQUEST: up to once in an hour, asked again after the refresh time', async (t) => {
  const bench = new Bench(wishOf({ stateless: true }), EVEN);
  t.match(bench.asked, { type: 'INFORMATION-REQUEST', options: { optionRequest: [23, 24, 32, 83] } });
  bench.after(20_000);
  t.strictSame(rhythm(bench, 0).gaps.slice(0, 3), [1, 2, 4]);
  t.equal(rhythm(bench, 0).gaps.at(-1), 3600);
  for (const [told, seconds] of [
    [undefined, 86_400],
    [10, 600],
    [7200, 7200],
  ] as const) {
    bench.answer('REPLY', {
      serverId: SERVER,
      dnsServers: ['2001:db8::53'],
      ...(told !== undefined && { informationRefreshTime: told }),
    });
    t.equal(bench.state, 'INFORMED');
    t.match(bench.lease, { stateless: true, renewAfter: seconds, dns: { nameservers: ['2001:db8::53'] } });
    const sent = bench.sent.at(-1)?.at ?? 0;
    bench.until(sent + seconds * 1000 - 1);
    t.equal(bench.state, 'INFORMED');
    bench.after(0.001);
    t.equal(bench.state, 'INFORMING');
    t.ok(bench.lease, 'what was told counts until then and longer');
  }
  bench.answer('REPLY', { serverId: SERVER, informationRefreshTime: NEVER });
  t.equal(bench.wakeAt, undefined);
});

t.test('who is patient begins after a random moment', async (t) => {
  for (const wish of [{}, { stateless: true }] as const) {
    const bench = new Bench(wishOf({ ...wish, patient: true }), EVEN);
    t.equal(bench.sent.length, 0);
    bench.after(0.499);
    t.equal(bench.sent.length, 0);
    bench.after(0.001);
    t.equal(bench.sent.length, 1);
    t.equal(bench.asked.options.elapsedTime, 0);
  }
});

t.test('waking it early changes nothing', async (t) => {
  const bench = bound();
  const before = [bench.data, bench.wakeAt, bench.sent.length];
  bench.feed({ is: 'time' });
  t.strictSame([bench.data, bench.wakeAt, bench.sent.length], before);
});
