/** What a lease from before is good for. */
import type { Lease6, LeasedPrefix6 } from '../../lease.ts';
import type { HeldLease, HeldPrefix } from './data.ts';
import { reduced, stillValid } from './lifetimes.ts';
import { delegationsOf } from './wish.ts';
import type { Wish6 } from './wish.ts';

/** The number of its IA_PD, as this machine wrote it; by order where somebody else kept the lease. */
function withIaid(
  prefix: LeasedPrefix6 & { readonly iaid?: number },
  order: number | undefined,
): HeldPrefix[] {
  const iaid = prefix.iaid ?? order;
  return iaid === undefined ? [] : [{ ...prefix, iaid }];
}

/** What of it is wished for still. */
function wished(wish: Wish6, remembered: Lease6): HeldLease | undefined {
  const iaids = delegationsOf(wish).map(({ iaid }) => iaid);
  const prefixes = remembered.prefixes
    .flatMap((prefix, index) => withIaid(prefix, iaids[index]))
    .filter(({ iaid }) => iaids.includes(iaid));
  const addresses = wish.addresses ? remembered.addresses : [];
  return reduced({ ...remembered, addresses, prefixes }, () => true);
}

/** `lease`: what is valid of it, undefined for nothing; `hints`: addresses worth asking for. */
export function remembering(
  wish: Wish6,
  remembered: Lease6 | undefined,
  now: number,
): { readonly lease: HeldLease | undefined; readonly hints: readonly string[] } {
  const lease = remembered && wished(wish, remembered);
  if (lease === undefined) return { lease, hints: [] };
  return { lease: stillValid(lease, now), hints: lease.addresses.map(({ address }) => address) };
}
