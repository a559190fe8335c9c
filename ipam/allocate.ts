/**
 * Choosing addresses: one from each set of a pool, in one go. Pure over the ledger of what is taken.
 * A requested address goes first, then one reserved for the container, then round robin from where the last one ended.
 */
import type { Address, Prefix } from '../lib/base/ip.ts';
import { NetmoorError } from '../lib/base/errors.ts';
import type { AddressLedger, AddressView } from './ledger.ts';
import type { Pool } from './pool.ts';
import type { RangeSet } from './range-set.ts';
import { describeSet, rangeForReserved } from './range-set.ts';
import type { Wanted } from './requested.ts';
import { checkRequested, chooseReserved, placeRequested } from './requested.ts';
import { chooseNext } from './round-robin.ts';
import { spanSize } from './span.ts';

export interface Allocated {
  /** The address with the length of its subnet. */
  readonly address: Prefix;
  readonly gateway: Address;
  readonly scope: string;
}

function exhausted(ledger: AddressView, scope: string, pool: Pool, set: RangeSet): NetmoorError {
  const size = set.reduce((sum, range) => range.free.reduce((part, span) => part + spanSize(span), sum), 0n);
  const held = set.reduce((sum, range) => sum + ledger.countTaken(scope, range.start, range.end), 0);
  const reserved = [...pool.reservations.values()]
    .flat()
    .filter((address) => rangeForReserved(set, address)).length;
  const kept = reserved > 0 ? ` (${reserved} more are reserved by name)` : '';
  return new NetmoorError(
    'pool-exhausted',
    `no free address in ${describeSet(set)}: ${held} taken, ${size} to hand out${kept}`,
    'remove containers, run `netmoor gc` to free addresses of containers that are gone, or give the ' +
      'network a larger range',
  );
}

/**
 * Chooses one address for each set of the pool, in the sets' order; the caller claims them in the same transaction.
 * Throws NetmoorError: 'address-invalid' (a requested address fits no range), 'address-taken' (a requested or reserved
 * one is held, naming the holder), 'pool-exhausted'.
 */
export function allocate(ledger: AddressLedger, scope: string, pool: Pool, wanted: Wanted): Allocated[] {
  const requested = placeRequested(pool, wanted);
  return pool.sets.map((set) => {
    let choice = requested.get(set);
    if (choice !== undefined) checkRequested(ledger, scope, pool, wanted, choice.address);
    choice ??= chooseReserved(ledger, scope, pool, set, wanted);
    if (choice === undefined) {
      const name = describeSet(set);
      choice = chooseNext(ledger, scope, set, ledger.cursor(scope, name));
      if (choice === undefined) throw exhausted(ledger, scope, pool, set);
      ledger.setCursor(scope, name, choice.address);
    }
    const { range, address } = choice;
    return { address: { address, length: range.subnet.length }, gateway: range.gateway, scope };
  });
}

/** The sets that have nothing left for a container without reservation, in words; [] when each has (for STATUS). */
export function exhaustedSets(view: AddressView, scope: string, pool: Pool): string[] {
  return pool.sets.filter((set) => chooseNext(view, scope, set, undefined) === undefined).map(describeSet);
}
