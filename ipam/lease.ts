/**
 * Leasing addresses to one attachment inside a store transaction: what every plugin that serves addresses from the
 * store does between reading its config and writing its record. Pure over the transaction.
 */
import { NetmoorError } from '../lib/base/errors.ts';
import { formatAddress, formatPrefix, parsePrefix } from '../lib/base/ip.ts';
import type { Address } from '../lib/base/ip.ts';
import { allocate, exhaustedSets } from './allocate.ts';
import type { Allocated } from './allocate.ts';
import type { AddressLedger, AddressView } from './ledger.ts';
import { parsePool } from './pool.ts';
import type { Pool, PoolConfig, Route } from './pool.ts';
import type { RangeConfig } from './range.ts';
import type { AddressRecord } from './record.ts';
import type { Wanted } from './requested.ts';

/** Where the addresses of a network come from. */
export interface PoolSource {
  /** The lease scope: addresses are held once in each. */
  readonly scope: string;
  readonly config: PoolConfig;
  /** runtimeConfig.ipRanges */
  readonly extraRanges: readonly (readonly RangeConfig[])[];
  /** The subnets netmoor picked, for a network of which neither config nor runtime names a range. */
  readonly subnets?: readonly string[] | undefined;
  /**
   * Whether nobody can have had an address of the scope so far; asked where the store knows of none. Absent: who knows.
   */
  readonly isBlank?: () => boolean;
}

/** A route as results and records write it. */
export interface LeaseRoute extends Omit<Route, 'dst' | 'gw'> {
  readonly dst: string;
  readonly gw?: string;
}

export interface Lease {
  readonly addresses: readonly AddressRecord[];
  /** Undefined when the config has no `routes` key. */
  readonly routes: readonly LeaseRoute[] | undefined;
  /** Nobody remembers another holder of one of the addresses, as far as the store knows, nor waits for it. */
  readonly unused: boolean;
}

/** Whether neither the config nor the runtime names a range, so that netmoor picks the network's subnets itself. */
export function isAutomatic(config: PoolConfig, extraRanges: PoolSource['extraRanges']): boolean {
  return !config.subnet && (config.ranges ?? []).length === 0 && extraRanges.length === 0;
}

function poolOf({ config, extraRanges, subnets }: PoolSource): Pool {
  const ranges = subnets === undefined ? {} : { ranges: subnets.map((subnet) => [{ subnet }]) };
  return parsePool({ ...config, ...ranges }, extraRanges);
}

function formatRoute({ dst, gw, ...attributes }: Route): LeaseRoute {
  return { dst: formatPrefix(dst), ...(gw === undefined ? {} : { gw: formatAddress(gw) }), ...attributes };
}

/** What was held before, when it is still to be had and nothing else is asked for; else whatever the pool gives. */
function chooseAgain(
  ledger: AddressLedger,
  scope: string,
  pool: Pool,
  wanted: Wanted,
  held: readonly Address[],
): Allocated[] {
  if (wanted.requested.length > 0 || held.length === 0) return allocate(ledger, scope, pool, wanted);
  try {
    return allocate(ledger, scope, pool, { ...wanted, requested: held });
  } catch (error) {
    if (error instanceof NetmoorError) return allocate(ledger, scope, pool, wanted);
    throw error;
  }
}

/** The name under which the highest address that was ever leased stands, beside those of round robin. */
const highestOf = ({ family }: Address): string => `highest of IPv${family}`;

/** Nothing is beyond these. */
const TOP: Readonly<Record<Address['family'], Address>> = {
  4: { family: 4, value: 0xffff_ffffn },
  6: { family: 6, value: (1n << 128n) - 1n },
};

function raiseHighest(ledger: AddressLedger, scope: string, address: Address): void {
  const highest = ledger.cursor(scope, highestOf(address));
  if (highest === undefined || address.value > highest.value)
    ledger.setCursor(scope, highestOf(address), address);
}

/** From now on no address of the scope counts as new: somebody may have had any of them that the store knows not of. */
export function noneIsNew(ledger: AddressLedger, scope: string): void {
  for (const address of Object.values(TOP)) raiseHighest(ledger, scope, address);
}

/**
 * Whether all of these are leased for the first time, which is certain of those beyond all that ever were; from now on
 * these count, too. Round robin goes upwards: until it has come to the end of a range, all that it chooses are new. In
 * a scope that is empty because it was forgotten, or the store lost, any may have been leased.
 */
function areNew(
  ledger: AddressLedger,
  { scope, isBlank = () => false }: PoolSource,
  chosen: readonly Address[],
): boolean {
  const before = chosen.map((address) => ({ address, highest: ledger.cursor(scope, highestOf(address)) }));
  const isLost = before.some(({ highest }) => highest === undefined) && !isBlank();
  for (const { address, highest } of before)
    raiseHighest(ledger, scope, isLost && highest === undefined ? TOP[address.family] : address);
  return before.every(({ address, highest }) => highest !== undefined && address.value > highest.value);
}

/**
 * Chooses an address from each set of the pool; the caller claims them by putting the record in the same transaction.
 * `before` is what the attachment held until now, already released.
 * Throws NetmoorError: 'bad-config', 'pool-exhausted', 'address-taken', 'address-invalid'.
 */
export function leaseAddresses(
  ledger: AddressLedger,
  source: PoolSource,
  wanted: Wanted,
  before: readonly AddressRecord[] = [],
): Lease {
  const { scope, config } = source;
  const pool = poolOf(source);
  const held = before
    .filter((address) => address.scope === scope)
    .map(({ address }) => parsePrefix(address).address);
  const chosen = chooseAgain(ledger, scope, pool, wanted, held);
  const addresses = chosen.map(
    ({ address, gateway }): AddressRecord => ({
      address: formatPrefix(address),
      gateway: formatAddress(gateway),
      scope,
    }),
  );
  const expected = wanted.requested.length > 0 || config.reservations !== undefined;
  const plain = chosen.map(({ address }) => address.address);
  const unused = areNew(ledger, source, plain) && !expected;
  return { addresses, routes: config.routes && pool.routes.map(formatRoute), unused };
}

/** The ranges of the pool that have nothing left to hand out, in words. Throws NetmoorError('bad-config'). */
export function exhaustedRanges(view: AddressView, source: PoolSource): string[] {
  return exhaustedSets(view, source.scope, poolOf(source));
}
