/** Giving back addresses that somebody else has (RFC 9915, section 18.2.8). */
import type { Data6, Declining, HeldLease } from './data.ts';
import { ask, bind, hold, keptOf, lose, solicitAnew } from './enter.ts';
import { reduced } from './lifetimes.ts';
import { renew } from './prolonging.ts';
import { after, stepTo } from './step.ts';
import type { Around, Step6 } from './step.ts';

/** The kernel found one out. */
export function decline(around: Around, data: Data6, lease: HeldLease, address: string): Step6 {
  const has = lease.addresses.some((each) => each.address === address);
  if (!has) return stepTo(data);
  const rest = reduced(lease, (part) => !('address' in part && part.address === address));
  const before = data.state === 'DECLINING' ? data.declined : [];
  const asked = ask(around, {
    state: 'DECLINING',
    server: lease.server,
    declined: [...before, address],
    ...(rest && { lease: rest }),
    ...keptOf(data),
  });
  return after([rest ? hold(rest) : lose('duplicate')], asked);
}

/** The server knows, or never will: on with what is left, or anew. */
export function declined(around: Around, data: Declining): Step6 {
  const { lease } = data;
  if (lease === undefined) return solicitAnew(around, data);
  const bound = bind(keptOf(data), lease);
  const complete = lease.addresses.length > 0 || !around.wish.addresses;
  if (complete || bound.data.state !== 'BOUND') return bound;
  // Prefixes are left but no address: a RENEW asks for one (section 18.2.4).
  return renew(around, bound.data);
}
