/**
 * Asking for tables, chains, rules, sets and elements: one, or all. Failures are SystemErrors; ENOENT means that there
 * is none.
 */
import type { NetlinkRequest, NetlinkSocket } from '../netlink/socket.ts';
import { NFPROTO_UNSPEC, decodeMessage, encodeMessage, messageType } from './message.ts';
import type { Body, MessageName, NftMessage } from './message.ts';

type Kind = 'TABLE' | 'CHAIN' | 'RULE' | 'SET' | 'SETELEM' | 'GEN';

export interface Found<K extends Kind> {
  readonly family: number;
  readonly body: Body<`NEW${K}`>;
}

export function getRequest<K extends Kind>(
  kind: K,
  family: number,
  body: Body<`GET${K}`>,
  op: string,
): NetlinkRequest {
  const name: MessageName = `GET${kind}`;
  return { type: messageType(name), data: encodeMessage({ name, family, body } as NftMessage), op };
}

/** What answers to a GET of this kind say. */
export function readAnswers<K extends Kind>(
  kind: K,
  messages: readonly { type: number; data: Buffer }[],
): Found<K>[] {
  const name = `NEW${kind}` as const;
  const type = messageType(name);
  return messages
    .filter((message) => message.type === type)
    .map(({ data }) => decodeMessage(name, data)) as Found<K>[];
}

export function getOne<K extends Kind>(
  nf: NetlinkSocket,
  kind: K,
  family: number,
  body: Body<`GET${K}`>,
  op: string,
): Found<K>[] {
  return readAnswers(kind, nf.request(getRequest(kind, family, body, op)));
}

/** All of one kind that `body` (a table, a chain, a set) narrows it down to. */
export function list<K extends Kind>(
  nf: NetlinkSocket,
  kind: K,
  family: number,
  body: Body<`GET${K}`>,
  op: string,
): Found<K>[] {
  return readAnswers(kind, nf.dump(getRequest(kind, family, body, op)));
}

/** The number of the ruleset's present state, for a batch that must not be applied to another one. */
export function currentGeneration(nf: NetlinkSocket, op: string): number {
  const [found] = readAnswers('GEN', [nf.ask(getRequest('GEN', NFPROTO_UNSPEC, {}, op))]);
  return found?.body.id ?? 0;
}
