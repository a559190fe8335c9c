/** How an attachment comes by its network's way out, before its interface is raised, and how the bridge gives it up. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { withoutLength } from '../../../lib/base/ip.ts';
import type { Dns } from '../../../lib/cni/result.ts';
import type { Host, Sockets } from '../../../lib/mooring/host.ts';
import { ALIAS } from '../../../lib/mooring/marks.ts';
import { knownRecords } from '../../../lib/mooring/records.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { sameKey } from '../../../ipam/record.ts';
import type { StoreReader } from '../../../ipam/store/store.ts';
import { KIND, readDetail } from '../detail.ts';
import type { BridgeNatDetail, BridgeNatRecord } from '../detail.ts';
import { egressOf } from './plan.ts';
import { leaveEgress, standEgress, tableOfBridge } from './stand.ts';

function describe({ egress }: BridgeNatRecord['detail']): string {
  if (egress === undefined) return 'as the host does';
  return egress.proxy ? 'through a proxy' : `by ${egress.interfaces.join(', ')} alone`;
}

/** What comes in by a bridge leaves by one way: whose else the bridge is goes the same. */
function refuseAnother(host: Host, record: BridgeNatRecord): void {
  const { segment, detail } = record;
  if (segment === undefined) return;
  const others = (tx: StoreReader): BridgeNatRecord[] =>
    knownRecords({ name: KIND, readDetail }, tx.attachments({ segment, plugin: KIND })).filter(
      (each) => !sameKey(each, record) && each.detail.egress?.table !== detail.egress?.table,
    );
  const [other] = [host.store.read(others), ...host.askOthers(others, [])].flat();
  if (other === undefined) return;
  throw new NetmoorError(
    'bad-config',
    `network ${record.network} is to leave ${describe(detail)}, and ${other.network} on the same bridge ${segment} ` +
      `leaves ${describe(other.detail)}`,
    'give them bridges of their own ("bridge"), or detach the containers of the one before its way out is changed',
  );
}

/**
 * Sends the bridge's traffic where the record says. Before anybody is plugged in, so that not even a first packet goes
 * another way. Throws NetmoorError when others on the bridge are promised another way.
 */
export function takeEgress(host: Host, record: BridgeNatRecord): void {
  const { segment = '' } = record;
  const egress = egressOf(record);
  const table = tableOfBridge(host.route, segment);
  if (table !== egress?.table) {
    refuseAnother(host, record);
    if (table !== undefined) leaveEgress(host.route, segment);
  }
  if (egress) standEgress(host.route, egress);
}

/** Whoever is still plugged in, a virtual machine, goes by the same way, and reaches no more of the host. */
export function keepsWayOut(
  { route }: Pick<Sockets, 'route'>,
  { segment, detail }: Pick<BridgeNatRecord, 'segment' | 'detail'>,
): boolean {
  return detail.egress !== undefined && segment !== undefined && findLink(route, segment)?.alias === ALIAS;
}

/**
 * With the last on a bridge. As long as a bridge of netmoor's stays, for a virtual machine that is plugged in, or to be
 * kept, so does its way out.
 */
export function giveUpEgress(sockets: Pick<Sockets, 'route'>, { segment, detail }: BridgeNatRecord): void {
  if (segment !== undefined) giveUpEgressOf(sockets, segment, detail);
}

/** The same, where what is on record of the network alone tells. */
export function giveUpEgressOf(
  { route }: Pick<Sockets, 'route'>,
  bridge: string,
  detail: Pick<BridgeNatDetail, 'egress'> | undefined,
): void {
  if (detail?.egress === undefined) return;
  if (findLink(route, bridge)?.alias !== ALIAS) leaveEgress(route, bridge, detail.egress.table);
}

/** All DNS goes to the proxy, whichever server it is meant for: the gateway, unless somebody names another. */
export function dnsThroughProxy({ detail }: BridgeNatRecord): Dns {
  return { nameservers: detail.egress?.proxy === undefined ? [] : detail.gateways.map(withoutLength) };
}
