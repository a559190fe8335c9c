/** Clients and servers of DHCPv6 on links that lose, delay and repeat, in virtual time. */
import t from 'tap';
import { Bench } from './dhcp6-bench.ts';
import { Network } from './dhcp6-network.ts';
import { SERVER, Server6 } from './dhcp6-server.ts';
import { wishOf } from './dhcp6-wish.ts';

const SEED = Number(process.env['DHCP_SEED'] ?? 20261121);
const YEAR_S = 365 * 86_400;

t.test('four messages, or two', async (t) => {
  for (const [rapid, heard] of [
    [false, ['SOLICIT', 'REQUEST']],
    [true, ['SOLICIT']],
  ] as const) {
    const bench = new Bench(wishOf({ rapidCommit: true }));
    const server = new Server6({ rapid });
    new Network(bench, [server]).after(0.1);
    t.strictSame([bench.state, server.heard], ['BOUND', heard]);
  }
});

t.test('a year of renewals', async (t) => {
  const bench = new Bench(wishOf(), { seed: SEED });
  const server = new Server6({ terms: { t1: 3600, t2: 5760, preferred: 7200, valid: 10_800 } });
  new Network(bench, [server], { seed: SEED }).after(YEAR_S);
  t.strictSame([bench.state, bench.deeds.includes('lose expired')], ['BOUND', false]);
  t.equal(new Set(bench.deeds).size, 1, 'held, and never lost');
  const renewals = server.heard.filter((type) => type === 'RENEW').length;
  t.ok(Math.abs(renewals - YEAR_S / 3600) <= 2, `${renewals} renewals`);
  t.strictSame(server.heard.length, renewals + 2);
});

t.test('a year on a bad link: every third message is lost, many come late or twice', async (t) => {
  const bench = new Bench(wishOf({ rapidCommit: true }), { seed: SEED });
  const server = new Server6({ terms: { t1: 3600, t2: 5760, preferred: 7200, valid: 10_800 } });
  const options = { seed: SEED, loss: 1 / 3, latency: 3000, repeated: 0.3 };
  new Network(bench, [server], options).after(YEAR_S);
  t.notOk(
    bench.deeds.some((deed) => deed.startsWith('lose')),
    'nothing is ever lost',
  );
  t.ok(bench.sent.length < 4 * (YEAR_S / 3600), `${bench.sent.length} messages`);
});

t.test('servers that differ in preference', async (t) => {
  const servers = () => [
    new Server6({ duid: '00030001aa', preference: 10, address: '2001:db8:a::1' }),
    new Server6({ duid: '00030001bb', preference: 20, address: '2001:db8:b::1' }),
    new Server6({ duid: '00030001cc', address: '2001:db8:c::1' }),
  ];
  for (let seed = SEED; seed < SEED + 20; seed++) {
    const bench = new Bench(wishOf({ patient: true }), { seed });
    new Network(bench, servers(), { seed, latency: 300 }).after(3);
    t.equal(bench.lease?.server, '00030001bb', 'who is patient gets the best');
    const hasty = new Bench(wishOf(), { seed });
    const began = hasty.now;
    new Network(hasty, servers(), { seed, latency: 300 }).after(3);
    t.ok((hasty.lease?.since ?? Number.POSITIVE_INFINITY) - began < 1000, 'who is not, waits for none');
  }
});

t.test('preference 255 is taken at once', async (t) => {
  const bench = new Bench(wishOf({ patient: true }));
  new Network(bench, [new Server6({ preference: 255 }), new Server6({ duid: '00030001aa' })]).after(2);
  t.match(bench.lease, { server: SERVER });
  t.ok((bench.lease?.since ?? 0) - (bench.sent[0]?.at ?? 0) < 100);
});

t.test('a server that is not chosen leases nothing, whatever it hears', async (t) => {
  const bench = new Bench(wishOf({ patient: true }));
  const chosen = new Server6({ preference: 255 });
  const other = new Server6({ duid: '00030001bb', address: '2001:db8:b::1' });
  new Network(bench, [chosen, other]).after(7200);
  t.strictSame(other.heard, ['SOLICIT']);
  t.equal(other.bound.size, 0);
  t.match(bench.lease?.addresses, [{ address: chosen.address }]);
});

t.test(
  'the server goes for good: another takes over, without losing anything if it knows the lease',
  async (t) => {
    const bench = new Bench(wishOf({ patient: true }));
    const [first, second] = [new Server6({ preference: 255 }), new Server6({ duid: '00030001bb' })];
    const network = new Network(bench, [first, second]);
    network.after(10);
    network.away.add(first);
    for (const client of first.bound) second.bound.add(client);
    network.after(2000);
    t.strictSame([bench.lease?.server, bench.deeds], ['00030001bb', ['hold', 'hold']]);

    const lost = new Bench(wishOf({ patient: true }));
    const [gone, stranger] = [
      new Server6({ preference: 255 }),
      new Server6({ duid: '00030001bb', address: '2001:db8:b::1' }),
    ];
    const link = new Network(lost, [gone, stranger]);
    link.after(10);
    link.away.add(gone);
    link.after(4000);
    t.strictSame(lost.deeds.slice(0, 3), ['hold', 'lose expired', 'hold']);
    t.match(lost.lease, { server: '00030001bb', addresses: [{ address: '2001:db8:b::1' }] });
  },
);

t.test('the server forgets everything: it is asked again, and nothing is interrupted', async (t) => {
  const bench = new Bench(wishOf());
  const server = new Server6();
  const network = new Network(bench, [server]);
  network.after(10);
  server.bound.clear();
  network.after(1500);
  t.strictSame(server.heard, ['SOLICIT', 'REQUEST', 'RENEW', 'REQUEST']);
  t.strictSame([bench.state, bench.deeds], ['BOUND', ['hold', 'hold']]);
});

t.test('the link was away', async (t) => {
  const bench = new Bench(wishOf());
  const server = new Server6();
  const network = new Network(bench, [server]);
  network.after(10);
  bench.feed({ is: 'uncertain' });
  network.after(2);
  t.strictSame([bench.state, server.heard.at(-1)], ['BOUND', 'CONFIRM']);
  bench.feed({ is: 'release' });
  network.after(1);
  t.strictSame([bench.state, server.bound.size], ['RELEASED', 0]);
});

t.test(`events at random moments, from seed ${SEED}`, async (t) => {
  for (let seed = SEED; seed < SEED + 200; seed++) {
    const bench = new Bench(wishOf({ prefixes: seed % 2, rapidCommit: seed % 3 === 0 }), { seed });
    const terms = { t1: 30, t2: 48, preferred: 60, valid: 90 };
    const servers = [new Server6({ terms }), new Server6({ duid: '00030001bb', terms, rapid: true })];
    const network = new Network(bench, servers, { seed, loss: 0.3, latency: 2000, repeated: 0.5 });
    for (let round = 0; round < 30; round++) {
      network.after(((seed * 31 + round * 17) % 97) / 2);
      const [held] = bench.lease?.addresses ?? [];
      if (round % 5 === 2) bench.feed({ is: 'uncertain' });
      if (round % 7 === 3 && held) bench.feed({ is: 'duplicate', address: held.address });
      if (round % 11 === 4) for (const server of servers) server.bound.clear();
    }
    network.calm();
    network.after(600);
    if (bench.lease === undefined) t.fail(`seed ${seed}: ${bench.state} after ten minutes of peace`);
    bench.feed({ is: 'release' });
    network.after(60);
    if (bench.state !== 'RELEASED') t.fail(`seed ${seed}: ${bench.state}`);
  }
  t.pass('they all come to a lease, and give it back');
});
