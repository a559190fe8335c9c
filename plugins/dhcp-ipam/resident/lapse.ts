/** When leases end that nobody prolongs. */
import type { Times } from '../../../ipam/dhcp/lease.ts';
import type { Leases } from '../leased.ts';

export interface Clocks {
  readonly host: { readonly world: { readonly now: () => number } };
  readonly reactor: { readonly now: () => number };
}

/** Of the boot clock; undefined: never. */
export function endOf({ since, validFor }: Times): number | undefined {
  return validFor === undefined ? undefined : since + validFor * 1000;
}

/** When the last of them ends, by the wall clock as it is now; undefined: never, or there is none. */
export function lapseOf({ v4, v6 }: Leases, { host, reactor }: Clocks): number | undefined {
  const ends = [v4, v6].filter((lease) => lease !== undefined).map(endOf);
  if (ends.length === 0 || ends.includes(undefined)) return undefined;
  const last = ends.reduce((most: number, end = 0) => Math.max(most, end), 0);
  return Math.round(host.world.now() + last - reactor.now());
}
