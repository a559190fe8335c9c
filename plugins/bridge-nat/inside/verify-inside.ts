/** What the container was promised to have, and what it has: beside addresses and routes what was tuned, and rules. */
import { formatAddress, networkOf, parseAddress, sameAddress } from '../../../lib/base/ip.ts';
import type { Prefix } from '../../../lib/base/ip.ts';
import type { Told } from '../../../lib/mooring/kind.ts';
import { RTPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { prefixesOf, verifyInterface } from '../../../lib/mooring/verify.ts';
import type { Complaints } from '../../../lib/mooring/verify.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { IFF_ALLMULTI, IFF_PROMISC } from '../../../lib/netlink/link-message.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { listRoutes } from '../../../lib/netlink/route.ts';
import type { Route } from '../../../lib/netlink/route.ts';
import { listRules } from '../../../lib/netlink/rule.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { withSocketIn } from '../../../lib/netlink/socket-in.ts';
import { inNetns } from '../../../lib/system/netns.ts';
import type { Netns } from '../../../lib/system/netns.ts';
import type { BridgeNatRecord } from '../detail.ts';
import { isFrom } from './source-rules.ts';
import { tunedSettings } from './tune.ts';
import type { Tuning } from './tuning.ts';

const FAMILIES = [4, 6] as const;

/** How the rules differ from what was promised, in words. The routes are looked for where the rules lead. */
function verifySourceRouting(socket: NetlinkSocket, record: BridgeNatRecord): Complaints {
  const wanted = record.detail.sourceRouting;
  if (wanted === undefined) return [];
  const rules = listRules(socket);
  const routes = FAMILIES.flatMap((family) => listRoutes(socket, family));
  return prefixesOf(record).flatMap(({ address, length }) => {
    const text = formatAddress(address);
    const rule = rules.find((each) => isFrom(each, address) && each.protocol === RTPROT_NETMOOR);
    if (rule?.table === undefined || (wanted.table !== undefined && rule.table !== wanted.table))
      return [`no routing rule leads what is sent from ${text} to ${wanted.table ?? 'a table of its own'}`];
    if (wanted.table !== undefined) return [];
    const network = networkOf({ address, length });
    const inTable = routes.filter(({ table }) => table === rule.table);
    const isTo = ({ destination }: Route, to: Prefix): boolean =>
      destination.length === to.length && sameAddress(destination.address, to.address);
    const gateway = wanted.gateways.map(parseAddress).find(({ family }) => family === address.family);
    const byGateway = inTable.some(
      (route) =>
        route.destination.length === 0 && route.gateway && gateway && sameAddress(route.gateway, gateway),
    );
    return [
      ...(inTable.some((route) => isTo(route, network))
        ? []
        : [`table ${rule.table} lacks the route to the subnet of ${text}`]),
      ...(gateway === undefined || byGateway
        ? []
        : [`table ${rule.table} lacks the default route by its gateway`]),
    ];
  });
}

function verifyAttributes(link: Link, tuning: Tuning, told: Told): Complaints {
  const { mtu, promisc, allmulti, txQLen } = tuning;
  const differ = (what: string, wanted: unknown, present: unknown): string[] =>
    wanted === undefined || wanted === present
      ? []
      : [`interface ${link.name} has ${what} ${String(present)}, not ${String(wanted)}`];
  return [
    ...differ('MTU', mtu === undefined ? undefined : (told.mtu ?? mtu), link.mtu),
    ...differ('promiscuous mode', promisc, (link.flags & IFF_PROMISC) !== 0),
    ...differ('all-multicast mode', allmulti, (link.flags & IFF_ALLMULTI) !== 0),
    ...differ('transmit queue length', txQLen, link.txQueueLength),
  ];
}

/** Where `sbr` names a gateway, the network's default route is not there; verifySourceRouting looks for the other. */
function withoutReplaced(record: BridgeNatRecord): BridgeNatRecord {
  const { detail } = record;
  const families = detail.sourceRouting?.gateways.map((text) => parseAddress(text).family) ?? [];
  if (families.length === 0) return record;
  const isReplaced = ({ dst }: { dst: string }): boolean =>
    (dst === '0.0.0.0/0' && families.includes(4)) || (dst === '::/0' && families.includes(6));
  return { ...record, detail: { ...detail, routes: detail.routes.filter((route) => !isReplaced(route)) } };
}

export function verifyInside(netns: Netns, record: BridgeNatRecord, told: Told = {}): Complaints {
  const { tuning, leftDown = false } = record.detail;
  const mtu = told.mtu ?? tuning?.mtu;
  const complaints = verifyInterface(netns, withoutReplaced(record), { ...told, mtu }, !leftDown);
  return withSocketIn(netns, 'route', (socket) => {
    const link = tuning && findLink(socket, record.ifname);
    return [
      ...complaints,
      ...(tuning ? inNetns(netns, () => tunedSettings(tuning, record.ifname)) : []),
      ...(tuning && link ? verifyAttributes(link, tuning, told) : []),
      ...verifySourceRouting(socket, record),
    ];
  });
}
