/**
 * Whose lease a question is about. A client identifier is made of what is in a machine's image: its clone has the same,
 * and anybody can say it, or another one's hardware address. So it counts where a lease was given: as long as that port
 * is plugged in, whoever has another hardware address behind another port is another client, and what is held there is
 * not given up from elsewhere.
 */
import { sha256 } from '../../../lib/base/sha256.ts';
import { clientName } from '../../../ipam/dhcp/server/identity.ts';
import type { Query } from '../../../ipam/dhcp/server/query.ts';
import type { StoreReader } from '../../../ipam/store/store.ts';
import { clientOf, keyOf } from './client.ts';
import type { Client, ServedNetwork } from './client.ts';

export interface Asking {
  readonly network: Pick<ServedNetwork, 'name'>;
  readonly query: Pick<Query, 'mac' | 'clientId'>;
  /** ifindex of the port that it came through. */
  readonly port: number;
  /** ifindexes of all ports of the bridge. */
  readonly ports: readonly number[];
  /** Milliseconds since boot. */
  readonly now: number;
}

function leaseOf(tx: StoreReader, { network, now }: Asking, name: string): Client | undefined {
  const record = tx.attachment(keyOf(network, name));
  const client = record && clientOf(record);
  return client !== undefined && client.until > now ? client : undefined;
}

/** Whether a lease is held behind another port, which is still there. */
function isElsewhere({ port }: Client, asking: Asking): boolean {
  return port !== undefined && port !== asking.port && asking.ports.includes(port);
}

/** The name under which the client is on record, or will be. */
export function nameOf(tx: StoreReader, asking: Asking): string {
  const { mac, clientId } = asking.query;
  const name = clientName(asking.query);
  const usual = leaseOf(tx, asking, name);
  const twin = clientName({ mac, clientId: sha256(`${clientId}\0${mac}`).toString('hex') });
  const isOther = usual !== undefined && usual.mac !== mac && isElsewhere(usual, asking);
  return isOther || leaseOf(tx, asking, twin) !== undefined ? twin : name;
}

/** Whether the client's lease is given up only from another port than this. */
export function isHeldElsewhere(tx: StoreReader, asking: Asking, name: string): boolean {
  const lease = leaseOf(tx, asking, name);
  return lease !== undefined && isElsewhere(lease, asking);
}

/** The port for the record: a lease that runs stays where it was given. */
export function portFor(tx: StoreReader, asking: Asking, name: string): number {
  const lease = leaseOf(tx, asking, name);
  const stays = lease?.state === 'bound' && lease.mac === asking.query.mac && isElsewhere(lease, asking);
  return stays ? (lease.port ?? asking.port) : asking.port;
}
