/**
 * A storm: 50 workers attach, check, detach and collect in several networks and stores, containers end, processes are
 * killed and stopped, links deleted, rules flushed, the host's firewall is loaded anew, `netmoor gc` and `netmoor
 * check` run beside. Afterwards there is what must be, and nothing else; after the last DEL the machine is as before.
 *
 * ATTACK_SEED=… repeats the choices of a run (not the kernel's), ATTACK_OPERATIONS=… or `npm test -- --long` makes it
 * longer.
 */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { dump } from './attack-bed.ts';
import { Storm } from './storm.ts';
import { CONTAINERS, NETWORKS, callOf, openLan, pluginOf } from './storm-networks.ts';
import { loadFirewall } from './storm-vandal.ts';
import { commentsOf, judge, namespacesGone } from './storm-verdict.ts';

const skip = lacking('radvd', 'tcpdump') ?? false;
const isLong = process.env['ATTACK_LONG'] !== undefined;
const OPERATIONS = Number(process.env['ATTACK_OPERATIONS'] ?? (isLong ? 2000 : 300));
const SEED = Number(process.env['ATTACK_SEED'] ?? randomInt(1_000_000));
const TIMEOUT_MS = 300_000 + OPERATIONS * 300;
t.setTimeout(TIMEOUT_MS);

/** What the first attachment switches on stays on: forwarding, and that routers are heard nevertheless. */
async function warmUp(host: Host): Promise<void> {
  const { netnsPath } = await host.container('s99');
  for (const index of NETWORKS.keys()) {
    await host.cniMust([pluginOf(index)], 'ADD', callOf('s99', index, netnsPath));
    await host.cniMust([pluginOf(index)], 'DEL', callOf('s99', index, netnsPath));
  }
  await host.removeContainer('s99');
}

t.test(`${OPERATIONS} operations, ATTACK_SEED=${SEED}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
  await withHost(t, async (host) => {
    await openLan(host);
    await loadFirewall(host);
    await warmUp(host);
    const before = await dump(host);
    const storm = new Storm(host, SEED, OPERATIONS);
    const begun = performance.now();
    await storm.run();
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    const figures = [...storm.figures].sort().map(([what, count]) => `${what}: ${count}`);
    t.comment(`${OPERATIONS} operations in ${seconds} s; ${figures.join(', ')}`);
    t.same(storm.violations, [], 'nothing went wrong on the way');
    await namespacesGone(host);
    await storm.mend();
    t.same(storm.violations, [], 'and an ADD in each network repairs its rules');
    t.match(await asked(host, 'gc'), { yes: true, view: { failures: [] } });
    const living = await judge(t, host, storm);
    t.ok(living.length > 0, 'somebody has outlived it');
    t.match(
      (await asked(host, 'gc')).view,
      { garbage: [], failures: [] },
      'there is nothing left to collect',
    );

    for (const index of NETWORKS.keys())
      await Promise.all(
        CONTAINERS.map((container) => host.cniMust([pluginOf(index)], 'DEL', callOf(container, index, ''))),
      );
    t.same((await asked(host, 'ls')).view, []);
    const left = (await host.ip('link', 'show')).map(({ ifname }) => ifname);
    t.same(left, ['lo', 'uplink', 'lan0'], 'no interface is left');
    t.same([...(await commentsOf(host))], [], 'nor a rule');
    t.same((await asked(host, 'gc')).view.garbage, []);
    for (const container of CONTAINERS) await host.removeContainer(storm.netnsOf(container));
    await loadFirewall(host);
    t.same(await dump(host), before, 'the machine is as before');
  });
});
