/**
 * Which elements netmoor's sets hold: the ones asked for by key, at a cost that does not grow with the sets, or all of
 * a set.
 */
import { isErrno } from '../base/errors.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ANCHOR_COMMENT } from './anchors.ts';
import { elementMessages } from './element-messages.ts';
import type { SetElement } from './element.ts';
import { TABLE, fieldsOf, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { encodeMessage, messageType } from './message.ts';
import type { Element } from './messages/elements.ts';
import { list, readAnswers } from './query.ts';
import { commentIn } from './userdata.ts';

/** Beyond this many keys of one set it is cheaper to read the set whole. */
export const KEYS_ASKED_SINGLY = 64;
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

/**
 * A large hash that the kernel is moving to one of another size shows an element twice, or leaves one out
 * (rhashtable_walk_next): this many times it is read again when that shows.
 */
const READINGS = 4;

function readSet(nf: NetlinkSocket, set: SetName): SetElement[] {
  const found = list(nf, 'SETELEM', setPlan(set).family, { table: TABLE, set }, OP);
  return found
    .flatMap(({ body }) => body.elements ?? [])
    .flatMap((element) => setElement(set, element) ?? []);
}

/** All elements of a set that stand for somebody; none when the set or its table does not exist. */
export function elementsOf(nf: NetlinkSocket, set: SetName): SetElement[] {
  try {
    let elements = new Map<string, SetElement>();
    for (let reading = 1; reading <= READINGS; reading++) {
      const read = readSet(nf, set);
      elements = new Map([...elements, ...read.map((element) => [elementId(element), element] as const)]);
      if (elements.size === read.length) break;
    }
    return [...elements.values()].filter(({ comment }) => comment !== ANCHOR_COMMENT);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/**
 * What is there under these keys; in sets of intervals, the one around each. One request for each: a request for
 * several is refused whole when one of them is absent.
 */
export function askFor(nf: NetlinkSocket, set: SetName, wanted: readonly SetElement[]): SetElement[] {
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
export function elementId({ set, key, keyEnd }: SetElement): string {
  return `${set} ${key.toString('latin1')} ${keyEnd?.toString('latin1') ?? ''}`;
}

/** Whether `holds` of every two fields, first and last each, of two intervals of one set. */
function everyField(
  a: SetElement,
  b: SetElement,
  holds: (a: readonly [Uint8Array, Uint8Array], b: readonly [Uint8Array, Uint8Array]) => boolean,
): boolean {
  if (a.set !== b.set || !a.keyEnd || !b.keyEnd) return false;
  const types = setPlan(a.set).key;
  const [first, last, otherFirst, otherLast] = [a.key, a.keyEnd, b.key, b.keyEnd].map(
    (bytes) => fieldsOf(types, bytes) ?? [],
  ) as [Uint8Array[], Uint8Array[], Uint8Array[], Uint8Array[]];
  return first.every((from, index) => {
    const [to, otherFrom, otherTo] = [last[index], otherFirst[index], otherLast[index]];
    return to && otherFrom && otherTo && holds([from, to], [otherFrom, otherTo]);
  });
}

/** `wide` is an interval around `narrow`, of the same set: in each field. */
export function covers(wide: SetElement, narrow: SetElement): boolean {
  return everyField(
    wide,
    narrow,
    (w, n) => Buffer.compare(w[0], n[0]) <= 0 && Buffer.compare(w[1], n[1]) >= 0,
  );
}

/** Two intervals of one set, of which the kernel refuses the second. */
export function overlaps(a: SetElement, b: SetElement): boolean {
  return everyField(a, b, (x, y) => Buffer.compare(x[0], y[1]) <= 0 && Buffer.compare(y[0], x[1]) <= 0);
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

/** Of the elements wanted, those present, by elementId(), with the data and the comment they have in the kernel. */
export function presentElements(nf: NetlinkSocket, wanted: readonly SetElement[]): Map<string, SetElement> {
  const present = new Map<string, SetElement>();
  for (const [set, group] of Map.groupBy(wanted, (element) => element.set)) {
    // Asked for an interval, the kernel answers with the one around its first key.
    const singly = group.length <= KEYS_ASKED_SINGLY && !setPlan(set).interval;
    const found = singly ? askFor(nf, set, group) : elementsOf(nf, set);
    for (const element of found) present.set(elementId(element), element);
  }
  return present;
}
