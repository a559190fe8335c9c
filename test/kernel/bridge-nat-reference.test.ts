/** Keys of the reference's bridge: what the kernel has after its ADD, and after bridge-nat's with the same. */
import t from 'tap';
import { lacking, withHost } from './harness.ts';
import type { CniJson, Host } from './harness.ts';

const skip = lacking('iptables') ?? false;

const RANGES = [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]];
const IPAM = { type: 'host-local', ranges: RANGES, dataDir: '/run/ipam' };
const ROUTED = { ...IPAM, routes: [{ dst: '192.0.2.0/24' }, { dst: '0.0.0.0/0', gw: '10.77.0.7' }] };

/** Together what excludes nothing: each ADD of the reference waits up to a second for its port. */
const CASES: Readonly<Record<string, object>> = {
  'isDefaultGateway, hairpinMode, enabledad': {
    isDefaultGateway: true,
    hairpinMode: true,
    enabledad: true,
    ipam: IPAM,
  },
  'isDefaultGateway beside a default route of the config': { isDefaultGateway: true, ipam: ROUTED },
  'isGateway, promiscMode, an MTU, routes': {
    isGateway: true,
    promiscMode: true,
    mtu: 1340,
    ipam: { ...ROUTED, routes: ROUTED.routes.slice(0, 1) },
  },
  'no gateway': { isGateway: false, ipMasq: false, ipam: IPAM },
  'layer 2': { ipam: {} },
};

interface State {
  readonly inside: unknown;
  readonly routes: unknown;
  readonly detection: string;
  readonly bridge: unknown;
  readonly port: unknown;
  readonly ips: unknown;
}

/** Not: names and MAC addresses of ends on the host, metrics and protocols, link-local addresses. */
async function stateOf(host: Host, result: CniJson): Promise<State> {
  const place = host.at('/run/netns/c1');
  const [inside] = await place.ip('address', 'show', 'dev', 'eth0');
  const routes = [...(await place.ip('-4', 'route')), ...(await place.ip('-6', 'route'))];
  const [bridge] = await host.ip('-d', 'address', 'show', 'dev', 'quay');
  const [port] = await host.ip('-d', 'link', 'show', 'master', 'quay');
  const global = (link: typeof inside) =>
    (link?.addr_info ?? []).flatMap(({ local, prefixlen, scope }) =>
      scope === 'global' ? [`${local}/${prefixlen}`] : [],
    );
  const settings = ['accept_dad', 'enhanced_dad'].map((key) => `/proc/sys/net/ipv6/conf/eth0/${key}`);
  return {
    inside: { addresses: global(inside), mtu: inside?.mtu, up: inside?.flags?.includes('UP') },
    routes: routes
      .map(({ dst, gateway }) => `${String(dst)} via ${String(gateway)}`)
      .filter((route) => !route.startsWith('fe80') && !route.startsWith('ff00'))
      .toSorted(),
    // Of a container without IPv6 addresses it is nobody’s concern.
    detection: global(inside).some((address) => address.includes(':'))
      ? await place.must(['cat', ...settings])
      : 'none',
    bridge: { addresses: global(bridge), promiscuous: bridge?.flags?.includes('PROMISC'), mtu: bridge?.mtu },
    port: (port?.['linkinfo'] as { info_slave_data?: object } | undefined)?.info_slave_data && {
      hairpin: hairpinOf(port),
    },
    ips: result.ips?.map(({ address, gateway }) => ({ address, gateway })),
  };
}

function hairpinOf(link: unknown): unknown {
  return (link as { linkinfo?: { info_slave_data?: { hairpin?: boolean } } }).linkinfo?.info_slave_data
    ?.hairpin;
}

/** ADD, what is there then, DEL; the bridge of the reference has to be removed by hand. */
async function tried(host: Host, type: string, keys: object, prepare = ''): Promise<State> {
  await host.container('c1');
  if (prepare !== '') await host.shell(prepare);
  const config = { cniVersion: '1.0.0', name: 'harbour', type, bridge: 'quay', ...keys };
  const call = { config, containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1' };
  const { json } = await host.cniMust(type, 'ADD', call);
  const state = await stateOf(host, json ?? {});
  await host.cniMust(type, 'DEL', call);
  await host.removeContainer('c1');
  await host.run(['ip', 'link', 'del', 'quay']);
  await host.run(['rm', '-rf', '/run/ipam']);
  return state;
}

t.test('the same keys, the same state', { skip }, async (t) => {
  await withHost(t, async (host) => {
    for (const [name, keys] of Object.entries(CASES)) {
      const theirs = await tried(host, 'bridge', keys);
      t.same(await tried(host, 'bridge-nat', keys), theirs, name);
    }
    const other = 'ip link add quay type bridge; ip address add 10.99.0.1/24 dev quay; ip link set quay up';
    const force = { isGateway: true, forceAddress: true, ipam: { ...IPAM, ranges: RANGES.slice(0, 1) } };
    const theirs = await tried(host, 'bridge', force, other);
    t.match(theirs.bridge, { addresses: ['10.77.0.1/24'] });
    t.same(await tried(host, 'bridge-nat', force, other), theirs, 'forceAddress');
  });
});
