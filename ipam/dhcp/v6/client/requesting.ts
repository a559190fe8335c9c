/** Asking one server for what it offered (RFC 9915, sections 18.2.2 and 18.2.10.1). */
import { NOT_ON_LINK, SUCCESS, UNSPEC_FAIL, USE_MULTICAST, statusName } from '../options/status-code.ts';
import type { Requesting } from './data.ts';
import { bind, hold, keptOf, lose, solicitAnew } from './enter.ts';
import { grantsIn } from './grants.ts';
import { settle } from './settle.ts';
import { after, note, stepTo } from './step.ts';
import type { Around, Incoming, Step6 } from './step.ts';

/** Looks for another server; what was held in the meantime has no server any more. */
export function requestFailed(around: Around, data: Requesting, why: string): Step6 {
  const { server } = data.offer;
  const held = data.lease ? [lose('refused')] : [];
  return after([note(`${server}: ${why}`), ...held], solicitAnew(around, data, { shunned: server }));
}

export function requestAnswered(around: Around, data: Requesting, incoming: Incoming, server: string): Step6 {
  const { message, from } = incoming;
  const grants = grantsIn(around.wish, message);
  const codes = [message.options.status?.code ?? SUCCESS, ...grants.map(({ status }) => status)];
  const [whole] = codes;
  // It asks to be asked again; section 18.2.10.1 leaves the pace to us, and that is the exchange's.
  if (whole === UNSPEC_FAIL || whole === USE_MULTICAST)
    return stepTo(data, note(`${server}: ${statusName(whole)}`));
  const since = data.exchange.sent;
  const answer = { message, server, serverAddress: from.address, since, grants, anew: true };
  const useful = whole === SUCCESS && grants.some(({ parts }) => parts.length > 0);
  const lease = useful ? settle(data.lease, answer) : undefined;
  if (lease) return bind(keptOf(data), lease, hold(lease));
  const bad = codes.includes(NOT_ON_LINK) ? NOT_ON_LINK : codes.find((code) => code !== SUCCESS);
  return requestFailed(around, data, bad === undefined ? 'grants nothing' : statusName(bad));
}
