/** STATUS: whether the kernel can do what macvlan-v6 asks of it, and whether the LAN has what the config relies on. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { tryKernel } from '../../lib/mooring/probe.ts';
import type { Trial } from '../../lib/mooring/probe.ts';
import { findInet6 } from '../../lib/netlink/inet6.ts';
import { createVeth } from '../../lib/netlink/link-creation.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { IF_RA_RCVD, IF_RS_SENT } from '../../lib/netlink/uapi.ts';
import { guardPort } from '../../lib/nftables/guard/guard.ts';
import type { MacvlanConfig } from './config.ts';
import { KIND } from './detail.ts';

/** One of everything that macvlan-v6 asks of a kernel, documentation addresses throughout (RFC 5737, RFC 3849). */
function makeOneOfEverything({ route, netfilter, here }: Trial): void {
  const { index, name } = createVeth(route, {
    name: 'probe0',
    mac: '02:00:00:00:00:01',
    peer: { name: 'probe1', mac: '02:00:00:00:00:02', netnsFd: here.fd },
  });
  const mac = '02:00:00:00:00:03';
  route.request(macvlanCreation({ name: 'probe2', mac, master: index, mode: 'bridge' }));
  guardPort(
    netfilter,
    {
      owner: { network: 'probe', containerId: 'probe', ifname: 'probe2' },
      master: { name, index },
      mac,
      addresses: [parseAddress('192.0.2.2'), parseAddress('2001:db8::2')],
      held: [parseAddress('2001:db8::2')],
      identifiers: [2n],
      roams: false,
      prefixes: [],
      spoofCheck: true,
      allow: { routerAdvertisements: false, dhcpServer: false },
    },
    () => [],
  );
}

/**
 * Whether a router has answered the host itself on the master, where the host has asked; a host that believes none
 * (accept_ra, or a program of its own that listens) does not tell.
 */
function requireRouter(
  { route }: Host,
  { slaac, allowLinkLocalOnly, master, masterIndex }: MacvlanConfig,
): void {
  if (!slaac || allowLinkLocalOnly || masterIndex === undefined) return;
  const flags = findInet6(route, masterIndex)?.flags ?? 0;
  if ((flags & IF_RS_SENT) === 0 || (flags & IF_RA_RCVD) !== 0) return;
  throw new NetmoorError(
    'not-available',
    `no router has answered the host on ${master}`,
    'is there one that advertises? "addressing" can be "pool", "allowLinkLocalOnly" goes on without',
  );
}

/** Throws NetmoorError('not-available'). */
export function probe(host: Host, config: MacvlanConfig): void {
  tryKernel(KIND, 'macvlan and nf_tables (netdev family, egress hook: 5.16)', makeOneOfEverything);
  requireRouter(host, config);
}
