/** The reference macvlan plugin beside ours, on the same configurations: links, addresses, routes and results. */
import t from 'tap';
import { REFERENCE_PLUGINS } from './harness-cni.ts';
import { withHost } from './harness.ts';
import type { CniJson, Host, Place } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { skip } from './macvlan-bed.ts';

t.setTimeout(120_000);
t.jobs = 3;

const IPAM = {
  type: 'host-local',
  ranges: [
    [{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.100', gateway: '192.0.2.1' }],
    [{ subnet: 'fd00:50::/64' }],
  ],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }, { dst: '198.51.100.0/24', gw: '192.0.2.9' }],
};
const STATIC = {
  type: 'static',
  addresses: [{ address: '192.0.2.77/24', gateway: '192.0.2.1' }, { address: 'fd00:50::77/64' }],
  routes: [{ dst: '0.0.0.0/0' }],
};

/**
 * Of the reference's keys, and of the runtime's ways to say them, one each; without those that Debian's version does
 * not know (bcqueuelen, args.cni.mac). Ours asks no router where `ipam` gives IPv6.
 */
const CONFIGS: Readonly<Record<string, { config?: object; args?: string }>> = {
  'nothing but addresses': {},
  'without a master': { config: { master: '' } },
  'mode bridge': { config: { mode: 'bridge' } },
  'mode private': { config: { mode: 'private' } },
  'mode vepa': { config: { mode: 'vepa' } },
  'mode passthru': { config: { mode: 'passthru' } },
  mtu: { config: { mtu: 1400 } },
  'mtu 0': { config: { mtu: 0 } },
  'mac by config': { config: { mac: '02:00:00:00:44:01' } },
  'mac by capability': { config: { runtimeConfig: { mac: '02:00:00:00:44:02' } } },
  'mac by CNI_ARGS': { args: 'IgnoreUnknown=1;MAC=02:00:00:00:44:03' },
  'static addresses': { config: { ipam: STATIC } },
  'an empty ipam': { config: { ipam: {}, addressing: 'none' } },
  dns: {
    config: {
      dns: { nameservers: ['192.0.2.54'], search: ['example'] },
      ipam: { ...IPAM, resolvConf: undefined },
    },
  },
};

/** Ours alone knows them. */
const OWN_KEYS = new Set(['addressing']);

/** What a container sees; MAC addresses that nobody asked for differ always. */
async function seen(place: Place, withMac: boolean) {
  const [link] = await place.ip('-d', 'link', 'show', 'dev', 'eth0');
  const { address, mtu, flags, linkinfo } = link ?? {};
  const [shown] = await place.ip('address', 'show', 'dev', 'eth0');
  const own = (shown?.addr_info ?? []).filter(({ scope }) => scope === 'global');
  const routes = [...(await place.ip('-4', 'route', 'show')), ...(await place.ip('-6', 'route', 'show'))];
  return {
    ...(withMac ? { address } : {}),
    mtu,
    up: flags?.includes('UP'),
    linkinfo,
    addresses: own.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
    routes: routes
      .filter(({ dst }) => !String(dst).startsWith('fe80:') && !String(dst).startsWith('ff00:'))
      .map(({ dst, gateway, dev }) => `${dst} via ${gateway} dev ${dev}`)
      .sort(),
  };
}

/** What of a result can be compared: the reference's is of another version of the library, with less in it. */
function told({ interfaces, ips, routes, dns }: CniJson, withMac: boolean) {
  return {
    interfaces: interfaces?.map(({ name, mac, sandbox }) => ({ name, sandbox, ...(withMac ? { mac } : {}) })),
    ips: ips?.map(({ address, gateway, interface: of }) => ({ address, gateway, of })),
    routes: routes?.map(({ dst }) => dst),
    dns: dns ?? {},
  };
}

async function outcome(
  host: Host,
  plugin: string,
  { config, args }: (typeof CONFIGS)[string],
  withMac: boolean,
) {
  const place = await host.container('c1');
  const type = plugin.replace(/.*\//, '');
  const known = Object.entries(config ?? {}).filter(([key]) => type === 'macvlan-v6' || !OWN_KEYS.has(key));
  const call = {
    config: {
      cniVersion: '1.0.0',
      name: 'lan',
      type,
      master: lanWorld.master,
      ipam: IPAM,
      ...Object.fromEntries(known),
    },
    containerId: 'c1',
    ifname: 'eth0',
    netns: place.netnsPath,
    ...(args === undefined ? {} : { args }),
  };
  const { json } = await host.cniMust(plugin, 'ADD', call);
  const found = { seen: await seen(place, withMac), told: told(json ?? {}, withMac) };
  await host.cniMust(plugin, 'DEL', call);
  await host.removeContainer('c1');
  // host-local goes on behind the last address it gave.
  await host.shell('rm -rf /var/lib/cni/networks');
  return found;
}

for (const [name, flavour] of Object.entries(CONFIGS)) {
  t.test(name, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await Lan.open(host);
      const withMac = name.startsWith('mac') || name === 'mode passthru';
      const theirs = await outcome(host, `${REFERENCE_PLUGINS}/macvlan`, flavour, withMac);
      const ours = await outcome(host, 'macvlan-v6', flavour, withMac);
      t.same(ours, theirs);
    });
  });
}
