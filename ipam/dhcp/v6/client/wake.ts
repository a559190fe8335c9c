/** When a machine has something to do. */
import type { Data6 } from './data.ts';
import { leaseIn } from './data.ts';
import { CONFIRM_LIMIT_S, SECOND } from './exchange.ts';
import { dueAt, firstEnd } from './lifetimes.ts';

/** When the state is left though nobody answered; undefined: never. */
export function deadlineOf(data: Data6): number | undefined {
  switch (data.state) {
    case 'BOUND':
    case 'INFORMED':
      return dueAt(data.lease, data.lease.renewAfter);
    case 'RENEWING':
      return dueAt(data.lease, data.lease.rebindAfter);
    case 'CONFIRMING':
      return data.exchange.tries === 0 ? undefined : data.exchange.began + CONFIRM_LIMIT_S * SECOND;
    default:
      return undefined;
  }
}

/** Undefined: never. */
export function wakeOf(data: Data6): number | undefined {
  const lease = data.state === 'CONFIRMING' ? data.lease : leaseIn(data);
  const times = [
    deadlineOf(data),
    lease && firstEnd(lease),
    'exchange' in data ? data.exchange.next : undefined,
  ].filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}
