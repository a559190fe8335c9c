/**
 * Which elements netmoor's sets hold: the ones asked for by key, at a cost that does not grow with the sets, or all of
 * a set.
 */
import { isErrno } from '../base/errors.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ANCHOR_COMMENT } from './anchors.ts';
import { elementMessages } from './element-messages.ts';
import type { SetElement } from './elements.ts';
import { TABLE, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { encodeMessage, messageType } from './message.ts';
import type { Element } from './messages/elements.ts';
import { list, readAnswers } from './query.ts';
import { commentIn } from './userdata.ts';

/** Beyond this many keys of one set it is cheaper to read the set whole. */
const KEYS_ASKED_SINGLY = 64;
const OP = 'read nftables elements';

function setElement(set: SetName, element: Element): SetElement | undefined {
  const key = element.key?.value;
  if (key === undefined) return undefined;
  const keyEnd = element.keyEnd?.value;
  const data = element.data?.value;
  return {
    set,
    key: Buffer.from(key),
    ...(keyEnd && { keyEnd: Buffer.from(keyEnd) }),
    ...(data && { data: Buffer.from(data) }),
    comment: commentIn(element.userdata) ?? '',
  };
}

/** All elements of a set that stand for somebody; none when the set or its table does not exist. */
export function elementsOf(nf: NetlinkSocket, set: SetName): SetElement[] {
  try {
    const found = list(nf, 'SETELEM', setPlan(set).family, { table: TABLE, set }, OP);
    return found
      .flatMap(({ body }) => body.elements ?? [])
      .flatMap((element) => setElement(set, element) ?? [])
      .filter(({ comment }) => comment !== ANCHOR_COMMENT);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** One request for each key: a request for several is refused whole when one of them is absent. */
function askSingly(nf: NetlinkSocket, set: SetName, wanted: readonly SetElement[]): SetElement[] {
  const type = messageType('GETSETELEM');
  const requests = wanted.flatMap((element) => elementMessages('GETSETELEM', [element]));
  const { replies, failures } = nf.exchange(
    requests.map((message) => ({ type, data: encodeMessage(message), op: OP })),
  );
  const failure = failures.find(({ error }) => error.code !== 'ENOENT');
  if (failure) throw failure.error;
  const found = replies.flatMap((messages) => readAnswers('SETELEM', messages));
  return found
    .flatMap(({ body }) => body.elements ?? [])
    .flatMap((element) => setElement(set, element) ?? []);
}

/** What tells elements apart. */
export function elementId({ set, key }: SetElement): string {
  return `${set} ${key.toString('latin1')}`;
}

/** `wide` is an interval around `narrow`, of the same set and the same bridge. */
export function covers(wide: SetElement, narrow: SetElement): boolean {
  if (wide.set !== narrow.set || !wide.keyEnd || !narrow.keyEnd) return false;
  return Buffer.compare(wide.key, narrow.key) <= 0 && Buffer.compare(wide.keyEnd, narrow.keyEnd) >= 0;
}

/**
 * Each key once, the first of its kind. Of intervals the widest: the kernel refuses those that overlap, and prefixes
 * either contain one another or are apart.
 */
export function distinct(elements: readonly SetElement[]): SetElement[] {
  const byId = new Map<string, SetElement>();
  for (const element of elements) {
    const id = elementId(element);
    const there = byId.get(id);
    if (there === undefined || (there !== element && covers(element, there))) byId.set(id, element);
  }
  const intervals = [...byId.values()].filter(({ keyEnd }) => keyEnd);
  return [...byId.values()].filter(
    (element) => !intervals.some((other) => other !== element && covers(other, element)),
  );
}

/**
 * Of the elements wanted, those present, by elementId(), with the data and the comment they have in the kernel. Only
 * for sets without intervals.
 */
export function presentElements(nf: NetlinkSocket, wanted: readonly SetElement[]): Map<string, SetElement> {
  const present = new Map<string, SetElement>();
  for (const [set, group] of Map.groupBy(wanted, (element) => element.set)) {
    const found = group.length <= KEYS_ASKED_SINGLY ? askSingly(nf, set, group) : elementsOf(nf, set);
    for (const element of found) present.set(elementId(element), element);
  }
  return present;
}
