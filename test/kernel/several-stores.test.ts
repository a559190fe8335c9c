/**
 * Several lease stores on one host, and paths that lead to the same one: what they share in the kernel is everybody's.
 */
import t from 'tap';
import { runPlugin } from './harness-cni.ts';
import { lacking, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { BRIDGE_NAT, DUAL_STACK, Network } from './moorings.ts';
import { asked, netmoor } from './netmoor-command.ts';

const skip = lacking() ?? false;
t.setTimeout(300_000);

const OTHER = '/opt/leases';

function far(host: Host, config: object = {}, dataDir = OTHER): Network {
  const ipam = { dataDir, ranges: [[{ subnet: '10.77.0.0/24', rangeStart: '10.77.0.100' }]] };
  return new Network(host, { name: 'quay', ipam, ...config });
}

async function left(host: Host): Promise<string[]> {
  return (await host.ip('link', 'show')).map(({ ifname = '' }) => ifname).filter((name) => /^nm/.test(name));
}

t.test('one bridge: who has IPv6 keeps it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const near = new Network(host, { ...DUAL_STACK, bridge: 'pier' });
    const quay = far(host, { bridge: 'pier' });
    const { place } = await near.container('c1');
    await quay.container('c2');
    t.equal((await place.run(['ping', '-c1', '-W2', 'fd00:77::1'])).code, 0);

    await host.shell(`printf damaged > ${OTHER}/leases.db; rm -f ${OTHER}/leases.db-*`);
    await far(host, { bridge: 'pier' }, '/opt/third').container('c3');
    t.equal((await place.run(['ping', '-c1', '-W2', 'fd00:77::1'])).code, 0, 'also when a store is damaged');
  });
});

t.test('two paths to one store', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const near = new Network(host, DUAL_STACK);
    await near.container('c1');
    await host.shell(`ln -s /var/lib/cni/netmoor ${OTHER}`);
    const quay = far(host, { ipam: { dataDir: OTHER, ranges: [[{ subnet: '10.78.0.0/24' }]] } });
    await quay.container('c2');
    t.match(await netmoor(host, 'gc'), { code: 0, out: /nothing/ });
    await near.del('c1');
    await quay.del('c2');
    t.same(await left(host), []);
    await host.shell('ip link add nmv0123456789a type veth peer name stray');
    t.match(await netmoor(host, 'gc', '--unrecorded'), { code: 0, err: '' });
    t.same(await left(host), []);
  });
});

t.test('a key that was attached by two stores is detached from both', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const near = new Network(host, DUAL_STACK);
    const moved = far(host, { name: 'harbour' });
    await near.container('c1');
    await host.container('c2');
    t.equal((await moved.run('ADD', 'c1', {}, {}, '/run/netns/c2')).code, 0);
    await moved.del('c1');
    t.same((await asked(host, 'ls')).view, [], 'nothing is on record');
    t.same((await asked(host, 'gc')).view.garbage, [], 'nor left');
    t.same(await left(host), []);
  });
});

t.test('DEL from another network namespace makes nothing there', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ports = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
    const near = new Network(host, DUAL_STACK);
    const second = new Network(host, { name: 'quay', ipam: { ranges: [[{ subnet: '10.78.0.0/24' }]] } });
    await near.container('c1', { ports });
    await second.add('c1', { ports, ifname: 'eth1' });
    const elsewhere = await host.container('elsewhere');
    const call = { config: near.config, containerId: 'c1', ifname: 'eth0' };
    t.match(await runPlugin(elsewhere, [BRIDGE_NAT], 'DEL', call), { code: 0 });
    t.equal((await elsewhere.run(['nft', 'list', 'tables'])).stdout, '');
    const swept = (await asked(host, 'gc', '--unrecorded')).view;
    t.ok(swept.garbage.some(({ kind }) => kind === 'interface'));
    t.same(swept.unrecorded, [], 'what is swept is not said to be left alone');
    await second.del('c1', { ifname: 'eth1' });
    t.same(await left(host), []);
  });
});

t.test('what lies among the notes of stores', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const near = new Network(host, DUAL_STACK);
    await near.container('c1');
    await host.shell('mkdir -p /run/netmoor/stores; echo hello > /run/netmoor/stores/README');
    await near.del('c1');
    t.same((await asked(host, 'ls')).view, []);
  });
});
