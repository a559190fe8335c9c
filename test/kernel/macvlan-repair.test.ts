/**
 * What was done to the guard of masters behind our back: CHECK names it, and the next ADD repairs it, or `netmoor
 * repair`, without one.
 */
import t from 'tap';
import { until, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { POOL, skip, state, usedNetwork } from './macvlan-bed.ts';
import { asked, netmoor } from './netmoor-command.ts';

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

/** By the master's index: the host's own macvlan, with the routes through it. */
const ACCESS_DAMAGES: Readonly<Record<string, string>> = {
  "the host's macvlan deleted": `ip link delete nmh$(cat /sys/class/net/${lanWorld.master}/ifindex)`,
  "the host's macvlan down": `ip link set nmh$(cat /sys/class/net/${lanWorld.master}/ifindex) down`,
  "the host's routes": `for family in -4 -6; do ip $family route flush dev nmh$(cat /sys/class/net/${lanWorld.master}/ifindex); done`,
};

t.test('netmoor repair puts it back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = await usedNetwork(host, { ...POOL, hostAccess: true });
    const c1 = await lan.container('c1');
    const c2 = await lan.container('c2');
    const whole = await ruleset(host);
    const guard = ['everything flushed', 'a base chain deleted', 'a set flushed'];
    const damages = { ...Object.fromEntries(guard.map((what) => [what, DAMAGES[what]])), ...ACCESS_DAMAGES };
    for (const [what, damage = ''] of Object.entries(damages)) {
      await host.shell(damage);
      const { yes, view } = await asked(host, 'repair');
      t.equal(yes, true, what);
      t.ok(view.repaired.length > 0, `${what}: told`);
      for (const [name, { result }] of Object.entries({ c1, c2 }))
        t.equal(await lan.check(name, result), undefined, `${what}: ${name} as promised`);
      t.same(await netmoor(host, 'repair'), { code: 0, out: '', err: '' }, `${what}: quiet then`);
      if (guard.includes(what)) t.same(await ruleset(host), whole, `${what}: as it was`);
    }
  });
});
