/** Whether the network still is the one of the lease (RFC 9915, sections 18.2.3, 18.2.10.3 and 18.2.12). */
import { NOT_ON_LINK, SUCCESS, statusName } from '../options/status-code.ts';
import type { Confirming, Data6, HeldLease } from './data.ts';
import { bind, confirm, desync, hold, keptOf, lose, solicit, transmit } from './enter.ts';
import { hasPassed } from './lifetimes.ts';
import { prolongAnswered } from './prolonging.ts';
import { after, note, stepTo } from './step.ts';
import type { Around, Incoming, Step6 } from './step.ts';
import { deadlineOf } from './wake.ts';

/** Everybody on the link asks at the same time: after a random moment. */
export function doubt(around: Around, data: Data6, lease: HeldLease): Step6 {
  return confirm(around, keptOf(data), { lease, used: true, delay: desync(around) });
}

export function confirmAnswered(around: Around, data: Confirming, incoming: Incoming, server: string): Step6 {
  const status = incoming.message.options.status?.code ?? SUCCESS;
  if (status === NOT_ON_LINK)
    return after(
      [note(`${server}: ${statusName(status)}`), ...(data.used ? [lose('moved')] : [])],
      solicit(around, keptOf(data)),
    );
  if (data.by === 'REBIND') return prolongAnswered(around, data, incoming, server);
  if (status !== SUCCESS) return stepTo(data, note(`${server}: ${statusName(status)}`));
  return bind(keptOf(data), data.lease, hold(data.lease));
}

/** Nobody knows better within the time: the lease goes on. */
export function confirmDue(around: Around, data: Confirming): Step6 {
  if (!hasPassed(deadlineOf(data), around.chance.now)) return transmit(around, data);
  return bind(keptOf(data), data.lease, note('nobody confirms the lease'), hold(data.lease));
}
