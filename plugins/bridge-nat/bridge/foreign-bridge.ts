/**
 * Bridges that netmoor did not make, or that more is plugged into than containers: somebody else's network. There the
 * host is no gateway and masquerades nothing unless the config says so, and no address is taken that somebody answers
 * for.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { formatAddress } from '../../../lib/base/ip.ts';
import type { Prefix } from '../../../lib/base/ip.ts';
import { parseMac } from '../../../lib/base/mac.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { IFF_UP } from '../../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { bridgePorts } from '../../../lib/system/bridge-ports.ts';
import { holderOf } from '../../../lib/system/neighbour-probe.ts';
import { parseLabel } from '../../../lib/mooring/label.ts';
import { ALIAS } from '../../../lib/mooring/marks.ts';
import { isHostIfname } from '../names.ts';

/** Whether there is a bridge of this name that netmoor did not make. */
export function isForeign(route: NetlinkSocket, bridge: string): boolean {
  const link = findLink(route, bridge);
  return link !== undefined && link.alias !== ALIAS;
}

/** Throws NetmoorError('name-taken') for what is to be the bridge and is none. */
export function refuseOtherKind(link: Link): void {
  if (link.kind === 'bridge') return;
  throw new NetmoorError(
    'name-taken',
    `interface ${link.name} is ${link.kind === undefined ? 'a device' : `of kind ${link.kind}`}, not a bridge`,
    `name a bridge with the key "bridge"; an interface that is to be plugged into it is named in "members"`,
  );
}

/** Of a container of ours: by its name, or by its label where another plugin has made it (adopt.ts). */
function isOurPort({ name, alias }: Pick<Link, 'name' | 'alias'>): boolean {
  return isHostIfname(name) || parseLabel(alias) !== undefined;
}

/** Whether something is plugged into the bridge that is no container of ours. */
export function hasForeignPorts(route: NetlinkSocket, bridge: Link): boolean {
  const names = bridgePorts(bridge.name, bridge.index);
  if (names === undefined)
    return listLinks(route).some((link) => link.master === bridge.index && !isOurPort(link));
  return names.some((name) => {
    if (isHostIfname(name)) return false;
    const link = findLink(route, name);
    return link !== undefined && !isOurPort(link);
  });
}

/** Ours, with nothing plugged in but containers. */
function isAllOurs(route: NetlinkSocket, bridge: Link): boolean {
  if (bridge.alias !== ALIAS) return false;
  return listLinks(route).every(({ master, name }) => master !== bridge.index || isHostIfname(name));
}

/**
 * Throws NetmoorError('address-taken') when somebody on the bridge answers for one of the addresses it is to be given.
 */
export function refuseHeld(
  route: NetlinkSocket,
  bridge: Link,
  wanted: readonly Prefix[],
  now: () => number,
): void {
  const silent = (bridge.flags & IFF_UP) === 0 || bridge.mac === undefined;
  if (wanted.length === 0 || silent || isAllOurs(route, bridge)) return;
  for (const { address } of wanted) {
    const holder = holderOf({ index: bridge.index, mac: parseMac(bridge.mac) }, address, now);
    if (holder === undefined) continue;
    throw new NetmoorError(
      'address-taken',
      `bridge ${bridge.name} is to be the gateway ${formatAddress(address)}, which ${holder} has already`,
      'set "isGateway" to false to leave the gateway to whoever it is, or name another "gateway"',
    );
  }
}
