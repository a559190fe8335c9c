/** Being told without leasing (RFC 9915, sections 18.2.6 and 18.2.10.4). */
import type { Informing } from './data.ts';
import { hold, keptOf } from './enter.ts';
import { seconds } from './lifetimes.ts';
import { dnsOf } from './settle.ts';
import { stepTo } from './step.ts';
import type { Incoming, Step6 } from './step.ts';

/** IRT_DEFAULT and IRT_MINIMUM, seconds. */
const DEFAULT_REFRESH = 86_400;
const SHORTEST_REFRESH = 600;

export function informed(data: Informing, { message, from }: Incoming, server: string): Step6 {
  const asked = message.options.informationRefreshTime ?? DEFAULT_REFRESH;
  const renewAfter = seconds(Math.max(SHORTEST_REFRESH, asked));
  const lease = {
    server,
    serverAddress: from.address,
    since: data.exchange.sent,
    ...(renewAfter !== undefined && { renewAfter }),
    addresses: [],
    prefixes: [],
    dns: dnsOf(message),
    stateless: true,
  };
  return stepTo({ state: 'INFORMED', lease, ...keptOf(data) }, hold(lease));
}
