/**
 * netmoor as the IPAM plugin of the reference bridge and ptp: addresses of the same store, for plugins that are not
 * ours.
 */
import t from 'tap';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { CniCall, Host } from './harness.ts';
import { asked, netmoor, recorded } from './netmoor-command.ts';

const skip = lacking() ?? false;

const BRIDGE = {
  cniVersion: '1.0.0',
  name: 'lan',
  type: 'bridge',
  bridge: 'ref0',
  isGateway: true,
  ipMasq: true,
  ipam: {
    type: 'netmoor',
    ranges: [[{ subnet: '10.66.0.0/24' }], [{ subnet: 'fd00:66::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    reservations: { bond: ['10.66.0.7'] },
  },
};

function call(config: object, containerId: string, more: Partial<CniCall> = {}): CniCall {
  return { config, containerId, ifname: 'eth0', netns: `/run/netns/${containerId}`, ...more };
}

async function leases(host: Host): Promise<string[]> {
  const { view } = await asked(host, 'leases');
  return view.leases.map(({ address, containerId }) => `${containerId} ${address}`);
}

t.test('under the reference bridge', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const c1 = await host.container('c1');
    const c2 = await host.container('c2');
    const { json: first } = await host.cniMust('bridge', 'ADD', call(BRIDGE, 'c1'));
    t.match(first, {
      ips: [
        { address: '10.66.0.2/24', gateway: '10.66.0.1', interface: 2 },
        { address: 'fd00:66::2/64', gateway: 'fd00:66::1' },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
    await host.cniMust('bridge', 'ADD', call(BRIDGE, 'c2', { args: 'IgnoreUnknown=1;K8S_POD_NAME=bond' }));
    await serve(host.outside, 'tcp', 80);
    await serve(c2, 'tcp', 80);
    t.match(await ask(c1, 'tcp', world.internet4, 80), { from: 'outside', peer: world.host4 });
    t.match(await ask(c1, 'tcp', '10.66.0.7', 80), { from: 'c2', peer: '10.66.0.2' }, 'the reserved address');
    t.same(await leases(host), [
      'c1 10.66.0.2/24',
      'c1 fd00:66::2/64',
      'c2 10.66.0.7/24',
      'c2 fd00:66::3/64',
    ]);
    t.match((await asked(host, 'ls')).view, [{ network: 'lan', plugin: 'netmoor' }, { name: 'bond' }]);

    t.equal((await host.cni('bridge', 'CHECK', call({ ...BRIDGE, prevResult: first }, 'c1'))).code, 0);
    await host.container('c3');
    const greedy = { ...BRIDGE, args: { cni: { ips: ['10.66.0.7'] } } };
    t.match(await host.cni('bridge', 'ADD', call(greedy, 'c3')), {
      code: 1,
      json: { code: 101, msg: /10\.66\.0\.7/ },
    });
    t.same((await asked(host, 'gc')).view.garbage, [], 'nothing of theirs is garbage');
    await host.removeContainer('c1');
    await host.cniMust('bridge', 'DEL', { ...call(BRIDGE, 'c1'), netns: '' });
    await host.cniMust('bridge', 'DEL', call(BRIDGE, 'c2'));
    await host.cniMust('bridge', 'DEL', call(BRIDGE, 'c2'));
    t.same(await leases(host), []);
    t.same(await recorded(host), []);
  });
});

t.test('subnets of its own choice, and an old configuration', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const config = {
      cniVersion: '0.2.0',
      name: 'strait',
      type: 'ptp',
      ipMasq: true,
      ipam: { type: 'netmoor' },
    };
    await host.container('c1');
    await host.container('c2');
    const { json: one } = await host.cniMust('ptp', 'ADD', call(config, 'c1'));
    const { json: two } = await host.cniMust('ptp', 'ADD', call(config, 'c2'));
    const [network] = await recorded(host);
    t.match(network, { name: 'strait', plugin: 'netmoor', automatic: true, attachments: 2 });
    const subnet = network?.subnets[0]?.replace(/\.0\/24$/, '') ?? 'none';
    t.match(one?.['ip4'], { ip: `${subnet}.2/24`, gateway: `${subnet}.1` });
    t.match(two?.['ip4'], { ip: `${subnet}.3/24` });
    const routes = (await host.ip('-4', 'route')).map(({ dst }) => dst);
    t.ok(routes.includes(`${subnet}.2`), 'the main plugin works with it');
    for (const id of ['c1', 'c2']) await host.cniMust('ptp', 'DEL', call(config, id));
    t.match(await recorded(host), [{ name: 'strait', attachments: 0 }], 'and they are remembered');
    t.match(await netmoor(host, 'networks', '--forget', 'strait'), { code: 0 });
    t.same(await recorded(host), [], 'until they are forgotten');
  });
});

t.test('a hundred at once get a hundred addresses', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ids = Array.from({ length: 100 }, (_, i) => `c${i}`);
    const config = { ...BRIDGE, type: 'macvlan' };
    const deadlineMs = 120_000;
    const answers = await Promise.all(
      ids.map((id) => host.cniMust('netmoor', 'ADD', call(config, id, { deadlineMs }))),
    );
    const given = new Set(answers.flatMap(({ json }) => (json?.ips ?? []).map(({ address }) => address)));
    t.equal(given.size, 200);
    t.match(await asked(host, 'check'), { yes: true });
  });
});

t.test('networks first used at the same moment get subnets of their own', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const names = Array.from({ length: 16 }, (_, i) => `net${i}`);
    const config = { cniVersion: '1.0.0', type: 'macvlan', ipam: { type: 'netmoor' } };
    await Promise.all(names.map((name) => host.cniMust('netmoor', 'ADD', call({ ...config, name }, 'c1'))));
    const subnets = (await recorded(host)).flatMap((network) => network.subnets);
    t.equal(subnets.length, 32);
    t.equal(new Set(subnets).size, 32, subnets.join(' '));
  });
});
