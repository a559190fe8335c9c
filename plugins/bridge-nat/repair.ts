/** Putting the host's side of attachments right, from their records, by what their ADDs have done. */
import type { Family } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import type { Amiss, Extent, Repairing } from '../../lib/mooring/upkeep.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { linkChange, portChange } from '../../lib/netlink/link-change.ts';
import { checkAttachments } from '../../lib/nftables/check.ts';
import { acceptForwarding, checkForwarding } from '../../lib/nftables/forward.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { clientOf } from './dhcp-server/client.ts';
import { rulesOf } from './detail.ts';
import type { BridgeNatDetail, BridgeNatRecord } from './detail.ts';
import { egressOf } from './egress/plan.ts';
import { egressesOf } from './egress/restore.ts';
import { look, standEgress } from './egress/stand.ts';
import { verifyRouting } from './egress/verify.ts';
import { enableForwarding } from './bridge/forwarding.ts';
import { answerPublic } from './nat/answering.ts';
import { proxyAttachment, verifyProxies } from './bridge/ndp-proxy.ts';
import { standBridge } from './plug-in.ts';
import { restoreShaping } from './bandwidth/shaping.ts';
import { standRules } from './stand-rules.ts';
import { rulesOfOthers } from './standby.ts';
import { verifyForwarding, verifyInterfaces, verifyLocalnet } from './verify.ts';

/** By bridge what is amiss with its way out: the subnets of all who are on it count. */
function amissOfEgress({ route, world }: Host, records: readonly BridgeNatRecord[]): Map<string, string[]> {
  const egresses = egressesOf(records, world);
  if (egresses.length === 0) return new Map();
  const sight = look(route);
  return new Map(egresses.map((egress) => [egress.bridge, verifyRouting(route, egress, sight)]));
}

/** What verifyHost() says of each, but that what they share is looked at once. */
function amiss(host: Host, records: readonly BridgeNatRecord[], extent: Extent): Amiss<BridgeNatDetail>[] {
  const bridges = new Set(records.map(({ segment = '' }) => segment));
  const ways = new Map([...bridges].map((bridge) => [bridge, checkForwarding(host.netfilter, bridge)]));
  const routing = extent === 'ways' ? new Map<string, string[]>() : amissOfEgress(host, records);
  const rules = extent === 'ways' ? [] : checkAttachments(host.netfilter, records.map(rulesOf));
  return records
    .map((record, index) => ({
      record,
      differences: [
        ...(extent === 'all' ? verifyInterfaces(host, record) : []),
        ...verifyForwarding(host, record),
        ...(ways.get(record.segment ?? '') ?? []),
        ...(routing.get(record.segment ?? '') ?? []),
        ...(rules[index] ?? []),
        ...(extent === 'ways' ? [] : verifyLocalnet(host, record)),
        ...(extent === 'all' ? verifyProxies(host, record) : []),
      ],
    }))
    .filter(({ differences }) => differences.length > 0);
}

/** The veth that a container has; where it is gone, nobody but the container's next ADD can make it. */
function mendPort({ route }: Host, record: BridgeNatRecord, bridge: number): void {
  const port = findLink(route, record.hostIfname ?? '');
  if (port?.kind !== 'veth') return;
  const { hairpin, isolated } = record.detail;
  const mtu = record.mtu === undefined ? {} : { mtu: record.mtu };
  const op = `plug ${port.name} into ${record.segment}`;
  route.request(linkChange(port.index, { up: true, master: bridge, ...mtu }, op));
  const flags = findLink(route, port.index);
  if ((flags?.hairpin ?? false) !== hairpin || (flags?.isolated ?? false) !== isolated)
    route.request(portChange(port.index, { hairpin, isolated }, `set the port flags of ${port.name}`));
  restoreShaping(route, record, { ...port, ...mtu });
}

/** Nothing that a person has put on the bridge is taken away for it, and whether it listens to all is his to say. */
const CAREFULLY = { forceAddress: false, promiscMode: false };

function mend(host: Host, tx: StoreReader, record: BridgeNatRecord, extent: Extent): void {
  const { segment = '', detail } = record;
  if (extent === 'all') {
    const bridge = standBridge(host, record, segment, CAREFULLY, (work) => work(tx));
    // Where a client of the DHCP server is plugged in is nobody's promise.
    if (clientOf(record) === undefined) mendPort(host, record, bridge.index);
    if (detail.ndpProxy) proxyAttachment(host, record);
  }
  const families = prefixesOf(record).map(({ address }) => address.family);
  if (detail.gateways.length > 0) enableForwarding(host.route, new Set<Family>(families));
  const egress = extent === 'ways' ? undefined : egressOf(record);
  if (egress) standEgress(host.route, egress);
  if (extent === 'ways') acceptForwarding(host.netfilter, segment);
  else standRules(host, record, () => rulesOfOthers(tx, host, record));
  if (extent === 'all' && clientOf(record) === undefined) answerPublic(host, record);
}

export const repairing: Repairing<BridgeNatDetail> = { amiss, mend };
