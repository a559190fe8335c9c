/** Addresses asked for by number, and addresses reserved for a container by name: placing and granting them. Pure. */
import type { Address } from '../lib/base/ip.ts';
import { formatAddress } from '../lib/base/ip.ts';
import { NetmoorError } from '../lib/base/errors.ts';
import type { AddressView } from './ledger.ts';
import type { Pool } from './pool.ts';
import { reservedFor } from './pool.ts';
import type { Choice, RangeSet } from './range-set.ts';
import { describeSet, rangeForReserved, rangeHolding } from './range-set.ts';
import { formatKey } from './record.ts';
import { spanContains } from './span.ts';

export interface Wanted {
  /** Each goes to the first set it fits; one that fits none is an error. */
  readonly requested: readonly Address[];
  /** Container id and name: what a reservation may be filed under. */
  readonly identities: readonly string[];
}

function isReservedFor(pool: Pool, wanted: Wanted, address: Address): boolean {
  const identity = reservedFor(pool, address);
  return identity !== undefined && wanted.identities.includes(identity);
}

function doesNotFit(pool: Pool, address: Address, crowded: boolean): NetmoorError {
  const ranges = pool.sets.map(describeSet).join('; ');
  const why = crowded
    ? 'is one more than its range set gives to a container'
    : `is in none of the ranges ${ranges}`;
  const message = `requested address ${formatAddress(address)} ${why}`;
  return new NetmoorError('address-invalid', message, `ask for at most one address from each of: ${ranges}`);
}

function neverHandedOut(address: Address, set: RangeSet): NetmoorError {
  const message =
    `requested address ${formatAddress(address)} is never handed out: ` +
    'it is a network, broadcast or gateway address, or excluded by the config';
  return new NetmoorError('address-invalid', message, `ask for another address in ${describeSet(set)}`);
}

/** Hands each requested address to the first set it fits that has none yet. Throws 'address-invalid'. */
export function placeRequested(pool: Pool, wanted: Wanted): Map<RangeSet, Choice> {
  const placed = new Map<RangeSet, Choice>();
  for (const address of wanted.requested) {
    const own = isReservedFor(pool, wanted, address);
    const find = own ? rangeForReserved : rangeHolding;
    const fits = pool.sets.filter((set) => find(set, address) !== undefined);
    const set = fits.find((candidate) => !placed.has(candidate));
    const range = set && find(set, address);
    if (set === undefined || range === undefined) throw doesNotFit(pool, address, fits.length > 0);
    const barred = pool.excluded.some((span) => spanContains(span, address));
    if (barred && !own) throw neverHandedOut(address, set);
    placed.set(set, { range, address });
  }
  return placed;
}

function taken(ledger: AddressView, scope: string, address: Address, how: string): NetmoorError {
  const owner = ledger.addressOwner(scope, address);
  const holder = owner === undefined ? 'another container' : formatKey(owner);
  const message = `${how} address ${formatAddress(address)} is held by ${holder}`;
  const advice = 'remove that container first, or run `netmoor gc` when it no longer exists';
  return new NetmoorError('address-taken', message, advice);
}

/** Throws 'address-taken' unless a requested address is free and not kept for somebody else. */
export function checkRequested(
  ledger: AddressView,
  scope: string,
  pool: Pool,
  wanted: Wanted,
  address: Address,
): void {
  if (ledger.isTaken(scope, address)) throw taken(ledger, scope, address, 'requested');
  const identity = reservedFor(pool, address);
  if (identity !== undefined && !wanted.identities.includes(identity)) {
    const message = `requested address ${formatAddress(address)} is reserved for ${identity}`;
    throw new NetmoorError('address-taken', message, 'ask for another address, or change "reservations"');
  }
}

/** The set's addresses reserved for the container; each reserved address belongs to one set only. */
function reservedIn(pool: Pool, set: RangeSet, wanted: Wanted): Choice[] {
  const all = wanted.identities.flatMap((identity) => pool.reservations.get(identity) ?? []);
  const choices: Choice[] = [];
  for (const address of all) {
    const home =
      pool.sets.find((candidate) => rangeHolding(candidate, address)) ??
      pool.sets.find((candidate) => rangeForReserved(candidate, address));
    const range = rangeForReserved(set, address);
    if (home === set && range !== undefined) choices.push({ range, address });
  }
  return choices;
}

/**
 * The first free address reserved for the container in this set; undefined when none is reserved there.
 * Throws 'address-taken' when all of them are held: a reservation is a promise, another address would break it.
 */
export function chooseReserved(
  ledger: AddressView,
  scope: string,
  pool: Pool,
  set: RangeSet,
  wanted: Wanted,
): Choice | undefined {
  const choices = reservedIn(pool, set, wanted);
  const free = choices.find(({ address }) => !ledger.isTaken(scope, address));
  const held = choices[0];
  if (free === undefined && held !== undefined) throw taken(ledger, scope, held.address, 'reserved');
  return free;
}
