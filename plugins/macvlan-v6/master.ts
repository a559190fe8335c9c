/** The interface that macvlans stand on: which it is, and whether it can be one. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { quote } from '../../lib/cni/quote.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { IFF_UP } from '../../lib/netlink/link-message.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { findUplink } from '../../lib/netlink/uplink.ts';

function unavailable(message: string, advice: string): NetmoorError {
  return new NetmoorError('not-available', message, advice);
}

/** A port of a bridge or bond gives all that arrives to that one (dev->rx_handler); there is nothing left for us. */
function refusePort(host: NetlinkSocket, link: Link): void {
  if (link.master === undefined) return;
  const owner = findLink(host, link.master);
  if (owner === undefined || owner.kind === 'vrf') return;
  throw unavailable(
    `master ${link.name} is a port of ${owner.kind ?? 'interface'} ${owner.name}`,
    `use "${owner.name}" as the master, or take ${link.name} out of it`,
  );
}

/** On a macvlan the kernel makes none: it takes the interface that this one stands on (macvlan_common_newlink). */
function beneath(host: NetlinkSocket, link: Link): Link {
  if (link.kind !== 'macvlan' && link.kind !== 'macvtap') return link;
  const lower = link.netnsid === undefined && link.peer !== undefined ? findLink(host, link.peer) : undefined;
  if (lower !== undefined) return lower;
  throw unavailable(
    `master ${link.name} is a ${link.kind} on an interface of another network namespace`,
    'name an interface that stands for itself',
  );
}

/**
 * The master by name, '' for the interface of the IPv6 default route, else of the IPv4 one. Throws
 * NetmoorError('not-available') when there is none, it is down, or what arrives at it goes elsewhere.
 */
export function requireMaster(host: NetlinkSocket, name: string): Link {
  const named = name === '' ? findUplink(host, [6, 4]) : findLink(host, name);
  if (named === undefined) {
    if (name !== '')
      throw unavailable(`there is no interface ${quote(name)} on the host`, 'correct "master"');
    throw unavailable(
      'the host has no default route to take the master from',
      'name an interface in "master"',
    );
  }
  const link = beneath(host, named);
  refusePort(host, link);
  if ((link.flags & IFF_UP) === 0)
    throw unavailable(`master ${link.name} is down`, `raise it: ip link set ${link.name} up`);
  return link;
}

/** Throws NetmoorError('bad-config'). */
export function checkMtu(master: Pick<Link, 'name' | 'mtu'>, mtu: number | undefined): void {
  if (mtu === undefined || mtu <= master.mtu) return;
  throw new NetmoorError(
    'bad-config',
    `mtu ${mtu} is larger than the ${master.mtu} of master ${master.name}`,
    'lower it, or raise that of the master',
  );
}
