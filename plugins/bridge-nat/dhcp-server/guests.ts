/**
 * What is plugged into a served bridge without being a container of netmoor's: virtual machines, containers of others.
 * As long as one is there, the bridge and the record of its network stay, so that it is answered when it asks again.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { writeAlone } from '../../../lib/mooring/host.ts';
import type { Host, Sockets } from '../../../lib/mooring/host.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { withdrawForwarding } from '../../../lib/nftables/forward.ts';
import { bridgeComment, removeElementsOf } from '../../../lib/nftables/table.ts';
import { dropTables } from '../../../lib/nftables/tables.ts';
import type { AttachmentRecord, DhcpServerRecord, NetworkRecord } from '../../../ipam/record.ts';
import type { StoreReader } from '../../../ipam/store/store.ts';
import { releaseBridge } from '../bridge/bridge.ts';
import { KIND } from '../detail.ts';
import type { BridgeNatDetail } from '../detail.ts';
import { hasWaysBeside } from '../egress/stand.ts';
import { giveUpEgressOf } from '../egress/taking.ts';
import { keepsBridge } from '../bridge/member-ports.ts';
import { isHostIfname } from '../names.ts';

export function portsOf(route: NetlinkSocket, bridge: Link): Link[] {
  return listLinks(route).filter(({ master }) => master === bridge.index);
}

/** Inside the network's last attachment's end: that one's own port does not count. */
export function staysForGuests(
  { route, store }: Host,
  { network, segment = '' }: Pick<AttachmentRecord, 'network' | 'segment'>,
): boolean {
  if (store.read((tx) => tx.network(network))?.dhcpServer === undefined) return false;
  const bridge = findLink(route, segment);
  return (
    bridge !== undefined &&
    portsOf(route, bridge).some((port) => !isHostIfname(port.name) && keepsBridge(port))
  );
}

/** Whether the last guest of a served bridge has gone, and nobody wants to keep it. */
export function isAbandoned({ route }: Sockets, { segment = '', dhcpServer }: NetworkRecord): boolean {
  if (dhcpServer === undefined || (dhcpServer.detail as BridgeNatDetail).keepBridge) return false;
  const bridge = findLink(route, segment);
  return bridge !== undefined && !portsOf(route, bridge).some(keepsBridge);
}

/** What of nftables kept guests to the way out of their bridge; without anybody else, the tables. */
function leaveGuard({ route, netfilter }: Sockets, bridge: string, others: boolean): void {
  removeElementsOf(netfilter, new Set([bridgeComment(bridge)]));
  if (!others && !hasWaysBeside(route, bridge)) dropTables(netfilter);
}

/**
 * Takes down the bridge of a network whose last guest has gone without a word, if nobody is on record there. Returns
 * whether it did.
 */
export function leaveAbandoned(host: Host, name: string): boolean {
  return writeAlone(host, (tx, ask) => {
    const network = tx.network(name);
    if (network?.segment === undefined || !isAbandoned(host, network)) return false;
    const { segment, automatic } = network;
    const isUsed = (reader: StoreReader): boolean => reader.attachments({ segment, plugin: KIND }).length > 0;
    if ([isUsed(tx), ...ask(isUsed, true)].includes(true)) return false;
    const detail = network.dhcpServer?.detail as BridgeNatDetail | undefined;
    withdrawForwarding(host.netfilter, segment);
    releaseBridge(host.route, segment);
    giveUpEgressOf(host, segment, detail);
    if (detail?.egress) {
      const isAny = (reader: StoreReader): boolean => reader.attachments({ plugin: KIND }).length > 0;
      leaveGuard(host, segment, [isAny(tx), ...ask(isAny, true)].includes(true));
    }
    if (!automatic) tx.removeNetwork(name);
    return true;
  });
}

/** Interfaces whose other end is on this host, and in somebody's hands there: a machine's, or a container's. */
const LOCAL_KINDS = ['tun', 'veth', 'netkit'];

/**
 * Whether clients behind a port of the bridge are to be answered. A port that leads off the host, a network card, a
 * VLAN or a tunnel, may lead to a network that has a server of its own; and so may a veth whose other end is plugged
 * into another bridge of this host.
 */
export function isServed(
  port: Link,
  all: readonly Link[],
  { ports }: Pick<DhcpServerRecord, 'ports'>,
): boolean {
  if (ports.includes(port.name)) return true;
  if (!LOCAL_KINDS.includes(port.kind ?? '')) return false;
  const isHere = port.netnsid === undefined && port.peer !== undefined && port.peer !== port.index;
  const otherEnd = isHere ? all.find(({ index }) => index === port.peer) : undefined;
  return otherEnd?.master === undefined;
}

/** Throws NetmoorError('kernel') when the bridge is gone. */
export function requireBridge(route: NetlinkSocket, segment: string): Link {
  const link = findLink(route, segment);
  if (link?.kind === 'bridge') return link;
  throw new NetmoorError('kernel', `bridge ${segment} is gone`, 'attach a container to its network');
}
