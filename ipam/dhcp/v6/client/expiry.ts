/** What time alone takes away. */
import type { Data6 } from './data.ts';
import { leaseIn } from './data.ts';
import { hold, keptOf, lose, solicit } from './enter.ts';
import { stillValid } from './lifetimes.ts';
import { after, stepTo } from './step.ts';
import type { Around, Step6 } from './step.ts';

/** undefined while everything is valid. */
export function expire(around: Around, data: Data6): Step6 | undefined {
  const lease = data.state === 'CONFIRMING' ? data.lease : leaseIn(data);
  if (lease === undefined || lease.stateless) return undefined;
  const rest = stillValid(lease, around.chance.now);
  if (rest === lease) return undefined;
  const used = leaseIn(data) !== undefined;
  if (rest) return stepTo({ ...data, lease: rest } as Data6, ...(used ? [hold(rest)] : []));
  const lost = used ? [lose('expired')] : [];
  // While one is declined the server still is to know of that.
  if (data.state === 'DECLINING') {
    const { lease: _gone, ...others } = data;
    return stepTo(others, ...lost);
  }
  return after(lost, solicit(around, keptOf(data)));
}
