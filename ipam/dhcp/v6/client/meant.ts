/** Which messages count (RFC 9915, sections 16.3 and 16.10), and what every one of them may tell. */
import type { Message6 } from '../message.ts';
import type { AskingData, Data6, Limits } from './data.ts';
import { duidOf } from './wish.ts';
import type { Wish6 } from './wish.ts';

/** The one server that may answer, by its DUID; undefined: any. */
function onlyServer(data: AskingData): string | undefined {
  switch (data.state) {
    case 'REQUESTING':
      return data.offer.server;
    case 'RENEWING':
    case 'RELEASING':
      return data.lease.server;
    case 'DECLINING':
      return data.server;
    default:
      return undefined;
  }
}

/** The DUID of the server that answered what is asked now; undefined when this is no answer to it. */
export function answererOf(
  wish: Wish6,
  data: Data6,
  { type, transaction, options }: Message6,
): string | undefined {
  if (!('exchange' in data) || data.exchange.tries === 0) return undefined;
  const expected = type === 'REPLY' || (type === 'ADVERTISE' && data.state === 'SOLICITING');
  if (!expected || transaction !== data.exchange.transaction) return undefined;
  if (options.clientId !== duidOf(wish)) return undefined;
  const only = onlyServer(data);
  return only === undefined || options.serverId === only ? options.serverId : undefined;
}

/** Sections 21.24 and 21.25: seconds; others are to be ignored. */
const SHORTEST_LIMIT = 60;
const LONGEST_LIMIT = 86_400;

function limit(value: number | undefined, before: number): number {
  return value !== undefined && value >= SHORTEST_LIMIT && value <= LONGEST_LIMIT ? value : before;
}

export function limitsAfter(before: Limits, { options }: Message6): Limits {
  return {
    solicit: limit(options.solMaxRt, before.solicit),
    inform: limit(options.infMaxRt, before.inform),
  };
}
