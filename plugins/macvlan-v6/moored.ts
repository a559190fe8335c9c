/** An attachment as the guard on its master knows it (lib/nftables/guard). */
import { eui64, linkLocal } from '../../lib/base/eui64.ts';
import { networkOf, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import { findLink } from '../../lib/netlink/link.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { MooredPort } from '../../lib/nftables/guard/port.ts';
import type { MacvlanRecord } from './detail.ts';

/** What the interface identifier of addresses by slaac is in every prefix; undefined where it differs. */
function identifierOf({ detail, mac = '' }: MacvlanRecord): bigint | undefined {
  if (detail.interfaceIdentifier === 'stable-privacy') return undefined;
  return detail.interfaceIdentifier === 'eui64' ? eui64(mac) : parseAddress(detail.interfaceIdentifier).value;
}

/** The link-local address; undefined as long as the kernel has not made one that only it can tell. */
function linkLocalOf({ detail, mac = '' }: MacvlanRecord): Address | undefined {
  if (detail.linkLocal !== undefined) return parseAddress(detail.linkLocal);
  return detail.slaac && detail.interfaceIdentifier === 'stable-privacy' ? undefined : linkLocal(eui64(mac));
}

/** Undefined where the master is in the container: nothing of it is to be seen on the host. */
export function mooredPort(record: MacvlanRecord): MooredPort | undefined {
  const { network, containerId, ifname, detail, mac = '', segment = '' } = record;
  if (detail.linkInContainer || detail.masterIndex === undefined) return undefined;
  const prefixes = record.addresses.map(({ address }) => parsePrefix(address));
  const own = linkLocalOf(record);
  const identifier = detail.slaac ? identifierOf(record) : undefined;
  return {
    owner: { network, containerId, ifname },
    master: { name: segment, index: detail.masterIndex },
    mac,
    addresses: [...prefixes.map(({ address }) => address), ...(own ? [own] : [])],
    held: record.addresses.flatMap(({ address, scope }) =>
      scope === undefined ? [] : [parsePrefix(address).address],
    ),
    identifiers: identifier === undefined ? [] : [identifier],
    roams: detail.slaac && identifier === undefined,
    prefixes: prefixes.filter(({ address }) => address.family === 6).map(networkOf),
    spoofCheck: detail.spoofCheck !== 'off',
    ...(detail.spoofCheck === 'strict' ? { strict: { known: detail.knownMacs ?? [] } } : {}),
    allow: {
      routerAdvertisements: detail.allowRouterAdvertisements,
      dhcpServer: detail.allowDhcpServer,
    },
  };
}

/**
 * The same with the name that the master has now, by which the kernel binds hooks to it; a person may have given it
 * another one.
 */
export function presentPort(route: NetlinkSocket, record: MacvlanRecord): MooredPort | undefined {
  const port = mooredPort(record);
  if (port === undefined) return undefined;
  const { index, name } = port.master;
  return { ...port, master: { index, name: findLink(route, index)?.name ?? name } };
}
