/**
 * Addresses that a network's DHCP server has leased, on record. They are attachments like any other, of a container
 * that is not ours to plug in: so an address is held once, the bridge and the rules of the network stay while one of
 * them lives, and whoever clears away attachments clears away these.
 */
import { bootNow } from '../../../lib/system/boot-clock.ts';
import { here } from '../../../lib/mooring/vantage.ts';
import type { World } from '../../../lib/cni/world.ts';
import { RECORD_VERSION } from '../../../ipam/record.ts';
import type {
  AddressRecord,
  AttachmentKey,
  AttachmentRecord,
  DhcpServerRecord,
} from '../../../ipam/record.ts';
import type { Binding } from '../../../ipam/dhcp/server/bindings.ts';
import type { Query } from '../../../ipam/dhcp/server/query.ts';
import { KIND } from '../detail.ts';
import type { BridgeNatDetail, BridgeNatRecord } from '../detail.ts';

export type Client = NonNullable<BridgeNatDetail['client']>;

/** A network that is served, and the bridge it is on. */
export interface ServedNetwork {
  readonly name: string;
  readonly segment: string;
  readonly server: DhcpServerRecord;
}

/** What records of leases have for an interface's name. */
export const IFNAME = 'dhcp';

export function keyOf({ name }: Pick<ServedNetwork, 'name'>, client: string): AttachmentKey {
  return { network: name, containerId: client, ifname: IFNAME };
}

/** The name under which an address is kept from everybody. */
export function barredName(address: string): string {
  return `dhcp-barred-${address}`;
}

/** Undefined for an attachment of a container. Of a detail that was not read by readDetail() as well. */
export function clientOf({ detail }: Pick<AttachmentRecord, 'detail'>): Client | undefined {
  const { client } = detail as Partial<BridgeNatDetail>;
  return typeof client === 'object' && typeof client.until === 'number' ? client : undefined;
}

/** Why a lease holds no more; undefined for one that does, and for what is none. */
export function whyEnded(record: AttachmentRecord, now: () => number = bootNow): string | undefined {
  const client = clientOf(record);
  if (client === undefined || client.until > now()) return undefined;
  return client.state === 'bound' ? 'its lease has expired' : 'nobody took the address';
}

export interface Holding {
  readonly network: ServedNetwork;
  readonly key: AttachmentKey;
  readonly state: Client['state'];
  readonly until: Binding['until'];
  readonly query: Pick<Query, 'mac' | 'clientId' | 'hostname'>;
  /** ifindex of the port that it is held behind. */
  readonly port?: number;
  readonly address: AddressRecord;
  readonly before: AttachmentRecord | undefined;
}

/**
 * A record of every acknowledgement is another life of its key: whoever has seen the lease expire, and comes to clear
 * it away when it has been prolonged, finds it gone.
 */
export function leaseRecord(holding: Holding, world: World): BridgeNatRecord {
  const { network, key, state, until, query, port, address, before } = holding;
  const { mac, clientId, hostname } = query;
  const detail = network.server.detail as BridgeNatDetail;
  const now = world.now();
  const client: Client = {
    mac,
    ...(clientId === undefined ? {} : { clientId }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(port === undefined ? {} : { port }),
    until,
    expires: Math.round(now + until - bootNow()),
    state,
  };
  return {
    version: RECORD_VERSION,
    ...key,
    plugin: KIND,
    state: 'attached',
    incarnation: `lease.${world.pid}.${now}.${world.random(6).toString('hex')}`,
    bootId: world.bootId,
    createdAt: before?.createdAt ?? now,
    host: here(world),
    segment: network.segment,
    mac,
    ...(network.server.mtu === undefined ? {} : { mtu: network.server.mtu }),
    addresses: [address],
    ports: [],
    // Only what is in use is masqueraded.
    detail: { ...detail, masquerade: detail.masquerade && state === 'bound', client },
  };
}
