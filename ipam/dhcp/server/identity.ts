/** Who a client is (RFC 2131, section 4.2): by its client identifier, else by its hardware address. */
import { sha256 } from '../../../lib/base/sha256.ts';
import type { Query } from './query.ts';

const ETHERNET = '01';
const DIGITS = 24;

/**
 * A name for the client, always the same, that a record can bear: "dhcp-" and its hardware address, or the beginning of
 * its client identifier's hash. A client identifier that is the hardware address means the same client as none:
 * firmware that boots from the network and the system it starts share one lease.
 */
export function clientName({ mac, clientId }: Pick<Query, 'mac' | 'clientId'>): string {
  const hardware = mac.replaceAll(':', '');
  if (clientId === undefined || clientId === `${ETHERNET}${hardware}`) return `dhcp-${hardware}`;
  return `dhcp-id-${sha256(clientId).toString('hex').slice(0, DIGITS)}`;
}

/**
 * What an address can be reserved under for it. Not its host name: that it chooses freely, and would take what is kept
 * for a container of the name.
 */
export function clientIdentities(query: Pick<Query, 'mac' | 'clientId'>): string[] {
  return [...new Set([query.mac, clientName(query), ...(query.clientId ? [query.clientId] : [])])];
}
