/** What was done to the guard of masters behind our back: CHECK names it, and the next ADD repairs it. */
import t from 'tap';
import { until, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { POOL, skip, state, usedNetwork } from './macvlan-bed.ts';

t.setTimeout(120_000);

/** A chain that was made again is listed behind the others. */
async function ruleset(host: Host): Promise<string[]> {
  return (await host.must(['nft', '-s', 'list', 'ruleset'])).split('\n').sort();
}

const DAMAGES: Readonly<Record<string, string>> = {
  'everything flushed': 'nft flush ruleset',
  'the table deleted': 'nft delete table netdev netmoor',
  'a chain emptied': 'nft flush chain netdev netmoor egress',
  'the base chains emptied': `nft flush chain netdev netmoor egress_$(cat /sys/class/net/${lanWorld.master}/ifindex)`,
  'a base chain deleted': `nft delete chain netdev netmoor ingress_$(cat /sys/class/net/${lanWorld.master}/ifindex)`,
  'a set flushed': 'nft flush set netdev netmoor ports',
  'the table switched off': "nft add table netdev netmoor '{ flags dormant; }'",
};

t.test('what was done to the guard is named, and repaired for all by the next ADD', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = await usedNetwork(host, POOL);
    const before = await state(host);
    const { result } = await lan.container('c1');
    for (const [what, damage] of Object.entries(DAMAGES)) {
      const whole = await ruleset(host);
      await host.shell(damage);
      t.match(await lan.check('c1', result), /nftables/, `${what}: CHECK says so`);
      await lan.container('c2');
      t.equal(await lan.check('c1', result), undefined, `${what}: repaired`);
      await lan.del('c2');
      await host.removeContainer('c2');
      await until(async () => {
        t.same(await ruleset(host), whole, `${what}: as it was`);
        return true;
      }, what);
    }
    await lan.del('c1');
    await host.removeContainer('c1');
    t.same(await state(host), before);
  });
});
