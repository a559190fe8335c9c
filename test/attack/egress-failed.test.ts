/**
 * A machine on the bridge of a network with a way out of its own, while the ADD of what would be the only container
 * fails: nothing that keeps the machine goes with it.
 */
import t from 'tap';
import { bundled } from '../crash/bundled.ts';
import { plugMachine, vpnNetwork } from '../kernel/egress-bed.ts';
import { lacking, withHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { asked } from '../kernel/netmoor-command.ts';

const skip = lacking() ?? false;
const VICTIM = bundled('bridge-nat-victim');

/** The steps of an ADD; at one it fails, or at none. */
async function add(host: Host, network: Network, name: string, step?: string): Promise<string[]> {
  const call = {
    config: network.config,
    containerId: name,
    ifname: 'eth0',
    netns: `/run/netns/${name}`,
    path: '/usr/lib/cni',
  };
  const fate = step === undefined ? [] : [step, 'throws'];
  const { code, stderr } = await host.cni([process.execPath, VICTIM, ...fate], 'ADD', call);
  if ((code === 0) !== (step === undefined)) throw new Error(`ADD struck at ${step}: exit ${code} ${stderr}`);
  return [...stderr.matchAll(/^step (.*)$/gm)].map((match) => match[1] ?? '');
}

t.test('a machine is guarded still when an ADD has failed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = vpnNetwork(host);
    const plain = new Network(host, { name: 'plain' });
    await host.container('c1');
    // Others are looked up where tables have to be built: not while the machine is there.
    const steps = (await add(host, network, 'c1')).filter((step) => step !== 'attach: others looked up');
    const machine = await plugMachine(host);
    const held = async () =>
      host.shell(`ip rule show pref 109; ip -6 rule show pref 109
for set in egress egress_via; do nft list set inet netmoor $set; done`);
    await network.del('c1');
    const before = await held();
    t.match(before, /iif nm-vpn[\s\S]*nm-vpn/);
    for (const each of [network, plain]) {
      for (const step of each === network ? steps : ['attach: rules written']) {
        await add(host, each, 'c1', step);
        t.equal(await held(), before, `${String(each.config['name'])} failed at "${step}"`);
      }
    }
    t.equal(await machine.resolver(100), undefined);
    await machine.unplug();
    await asked(host, 'gc');
    t.equal(await host.shell('nft list tables; ip rule show pref 109; ip link show type bridge'), '');
  });
});
