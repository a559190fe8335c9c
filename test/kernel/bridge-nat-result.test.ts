/** What ADD answers, version by version, against what the kernel has. */
import t from 'tap';
import { lacking, withHost } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const ROUTES = [{ dst: '0.0.0.0/0', priority: 77, mtu: 1300 }];

t.test(
  'route attributes below 1.1.0, from netmoor as the IPAM plugin of the reference bridge',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      for (const cniVersion of ['0.4.0', '1.0.0']) {
        const name = `v${cniVersion.replaceAll('.', '')}`;
        const place = await host.container(name);
        const ipam = { type: 'netmoor', subnet: '10.66.0.0/24', routes: ROUTES };
        const config = { cniVersion, name: 'lan', type: 'bridge', bridge: 'ref0', isGateway: true, ipam };
        const call = { containerId: name, ifname: 'eth0' };
        const own = await host.cniMust('netmoor', 'ADD', { ...call, config, netns: `/run/netns/${name}` });
        t.match(own.json?.routes, ROUTES, `${cniVersion}: the IPAM plugin says them`);
        await host.cniMust('netmoor', 'DEL', { ...call, config, netns: `/run/netns/${name}` });
        const ours = new Network(host, {
          cniVersion,
          name: 'ours',
          ipam: { ...ipam, type: '', subnet: '10.67.0.0/24' },
        });
        const result = await ours.add(name);
        t.match(result.routes, ROUTES, `${cniVersion}: and so does bridge-nat`);
        t.match(await place.must(['ip', 'route']), /default via 10\.67\.0\.1 dev eth0 .*metric 77 mtu 1300/);
      }
    });
  },
);

t.test('two addresses of one family, before 0.3.0', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const ranges = [[{ subnet: '10.77.0.0/24' }], [{ subnet: '10.78.0.0/24' }]];
    const network = new Network(host, { cniVersion: '0.2.0', ipam: { ranges } });
    const before = await host.ip('link', 'show');
    const refused = await network.run('ADD', 'c1');
    t.match(refused.json, { code: 7, msg: naming('0.2.0', 'IPv4') });
    t.same(await host.ip('link', 'show'), before, 'before anything is configured');
    const single = new Network(host, { cniVersion: '0.2.0', ...DUAL_STACK });
    t.match(await single.add('c1'), { ip4: { ip: '10.77.0.2/24' }, ip6: { ip: 'fd00:77::2/64' } });
  });
});

t.test('the IFB of a bandwidth limit', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const limits = { egressRate: 8_000_000, egressBurst: 800_000 };
    const { result } = await network.container('c1', { bandwidth: limits });
    const [ifb] = await host.ip('link', 'show', 'type', 'ifb');
    t.equal(result.interfaces?.length, 4);
    t.match(result.interfaces?.[3], { name: ifb?.ifname, mac: ifb?.address });
    t.equal(result.ips?.[0]?.interface, 2, 'addresses are still those of the container');
    t.equal(await network.check('c1', result, { bandwidth: limits }), undefined);
    const free = await network.container('c2', {
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000 },
    });
    t.equal(free.result.interfaces?.length, 3, 'there is none for traffic to the container');
  });
});
