/** What choosing an address needs to know of the leases. The store implements it; tests do so in memory. */
import type { Address } from '../lib/base/ip.ts';
import type { AttachmentKey } from './record.ts';

/**
 * What is taken, as far as choosing needs it. A scope is a name space of addresses: an address is held once in each.
 */
export interface AddressView {
  /** First address in [from, to] that nobody holds, nor released lately; O(log n) in the number of leases. */
  nextFree(scope: string, from: Address, to: Address): Address | undefined;
  isTaken(scope: string, address: Address): boolean;
  addressOwner(scope: string, address: Address): AttachmentKey | undefined;
  /** How many addresses in [from, to] are held. Linear: for messages, not for choosing. */
  countTaken(scope: string, from: Address, to: Address): number;
  /** What nextFree passes over though nobody holds it: the last 256 releases of the scope, oldest first. */
  recentlyReleased(scope: string): readonly Address[];
  /** The address round robin last handed out of a set; `range` names the set, or what else stands there (lease.ts). */
  cursor(scope: string, range: string): Address | undefined;
}

export interface AddressLedger extends AddressView {
  setCursor(scope: string, range: string, address: Address): void;
}
