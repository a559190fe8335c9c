/** A hundred containers on one master. */
import t from 'tap';
import { addresses, network, onRecord, skip, state, withRouter } from './macvlan-bed.ts';

t.setTimeout(180_000);

const MANY = 100;
const AT_ONCE = 10;

/** In groups, each of which is done before the next begins. */
async function inGroups<T>(names: readonly string[], work: (name: string) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE)
    all.push(...(await Promise.all(names.slice(from, from + AT_ONCE).map(work))));
  return all;
}

t.test('a hundred containers by router advertisements', { skip }, async (t) => {
  await withRouter(t, async ({ host, lan }) => {
    const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64'] });
    const lanNetwork = network(host);
    await lanNetwork.container('first');
    await lanNetwork.del('first');
    const names = Array.from({ length: MANY }, (_, i) => `c${i}`);
    await host.shell(names.map((name) => `ip netns add ${name}; ip -n ${name} link set lo up`).join('\n'));
    const before = await state(host);
    const results = await inGroups(names, async (name) => lanNetwork.add(name));
    const all = results.flatMap(addresses).map((address) => address.replace('/64', ''));
    t.equal(all.length, MANY);
    t.equal(new Set(all).size, MANY, 'all addresses are different');
    t.equal(new Set(results.map(({ interfaces }) => interfaces?.[0]?.mac)).size, MANY);
    t.ok(
      results.every(({ routes }) => routes?.[0]?.gw === 'fe80::1'),
      'all have the way out',
    );
    const reached = await inGroups(all, async (address) => peer.pings(address, 5_000));
    t.equal(reached.filter(Boolean).length, MANY, 'one peer reaches all');
    const checked = await inGroups(names, async (name) => {
      const result = results[names.indexOf(name)] ?? {};
      return lanNetwork.check(name, result);
    });
    t.same(checked.filter(Boolean), [], 'CHECK is content with all');
    await inGroups(names, async (name) => lanNetwork.del(name));
    t.equal(await onRecord(host), 0);
    t.same(await state(host), before, 'nothing stays');
  });
});
