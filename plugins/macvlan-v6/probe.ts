/** STATUS: whether the kernel can do what macvlan-v6 asks of it, and whether the LAN has what the config relies on. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { findInet6 } from '../../lib/netlink/inet6.ts';
import { createVeth } from '../../lib/netlink/link-creation.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { IF_RA_RCVD, IF_RS_SENT } from '../../lib/netlink/uapi.ts';
import { guardPort } from '../../lib/nftables/guard/guard.ts';
import { closeNetns, inNewNetns, openNetns } from '../../lib/system/netns.ts';
import type { MacvlanConfig } from './config.ts';

/** One of everything that macvlan-v6 asks of a kernel, documentation addresses throughout (RFC 3849). */
function makeOneOfEverything(): void {
  const route = NetlinkSocket.open('route');
  const netfilter = NetlinkSocket.open('netfilter');
  const here = openNetns('/proc/thread-self/ns/net');
  try {
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
  } finally {
    closeNetns(here);
    route.close();
    netfilter.close();
  }
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

/**
 * Tries the kernel in a namespace made for it: what works there works for a container. Throws
 * NetmoorError('not-available').
 */
export function probe(host: Host, config: MacvlanConfig): void {
  try {
    inNewNetns(makeOneOfEverything);
  } catch (error) {
    throw new NetmoorError(
      'not-available',
      `this kernel does not let macvlan-v6 work: ${errorText(error)}`,
      'it needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and a kernel with macvlan and nf_tables (netdev family, egress hook: 5.16)',
      { cause: error },
    );
  }
  requireRouter(host, config);
}
