/** Giving back what is leased (RFC 9915, section 18.2.7). */
import type { Data6, HeldLease } from './data.ts';
import { leaseIn } from './data.ts';
import { ask, keptOf } from './enter.ts';
import { stepTo } from './step.ts';
import type { Around, Step6 } from './step.ts';

const NOTHING_TOLD = { nameservers: [], search: [] };

/** What a server may believe to be ours: also what was requested, for its answer may be under way. */
function returnable(data: Data6, now: number): HeldLease | undefined {
  if (data.state === 'CONFIRMING') return data.lease;
  const lease = leaseIn(data);
  if (lease || data.state !== 'REQUESTING') return lease;
  return {
    ...data.offer,
    since: now,
    addresses: data.offer.addresses.map((address) => ({ address })),
    dns: NOTHING_TOLD,
  };
}

export function released(data: Data6): Step6 {
  return stepTo({ state: 'RELEASED', ...keptOf(data) }, { do: 'end' });
}

export function release(around: Around, data: Data6): Step6 {
  const lease = returnable(data, around.chance.now);
  if (lease === undefined || lease.stateless) return released(data);
  return ask(around, { state: 'RELEASING', lease, ...keptOf(data) });
}
