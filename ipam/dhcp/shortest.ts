/**
 * The shortest times that a server may tell. Each renewal is written down and logged, so whoever answers first on a LAN
 * could else keep the disk of every host on it busy.
 */

/** Seconds; what is leased for less is of no use. */
export const SHORTEST_LEASE_S = 5;

const SHORTEST_RENEWAL_S = 2;
/** Of leases that last for minutes at least. */
const USUAL_RENEWAL_S = 4;
const PART = 1 / 8;

/** Seconds before which no lease of so many is renewed; undefined: one for ever. */
export function soonestRenewal(validFor: number | undefined): number {
  if (validFor === undefined) return USUAL_RENEWAL_S;
  return Math.min(USUAL_RENEWAL_S, Math.max(SHORTEST_RENEWAL_S, validFor * PART));
}
