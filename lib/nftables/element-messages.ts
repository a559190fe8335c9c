/**
 * Messages that add, remove or ask for many elements: one for each set, and more where a set's list outgrows an
 * attribute.
 */
import type { SetElement } from './element.ts';
import { TABLE, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import type { NftMessage } from './message.ts';
import type { Element } from './messages/elements.ts';
import { commented } from './userdata.ts';

/** An attribute's length has sixteen bits; some are left for the headers of its elements. */
const LIST_LIMIT = 60_000;
/** Headers and padding of one element's attributes, at most. */
const OVERHEAD = 64;

type ElementMessage = 'NEWSETELEM' | 'DELSETELEM' | 'GETSETELEM';

function withComment(element: SetElement): Element {
  return {
    key: { value: element.key },
    ...(element.keyEnd && { keyEnd: { value: element.keyEnd } }),
    ...(element.data && { data: { value: element.data } }),
    userdata: commented(element.comment),
  };
}

function keyOnly(element: SetElement): Element {
  return { key: { value: element.key }, ...(element.keyEnd && { keyEnd: { value: element.keyEnd } }) };
}

function sizeOf({ key, keyEnd, data, comment }: SetElement): number {
  return OVERHEAD + key.length + (keyEnd?.length ?? 0) + (data?.length ?? 0) + comment.length;
}

/** The elements by set, each list short enough for one message. */
function lists(elements: readonly SetElement[]): { set: SetName; list: SetElement[] }[] {
  const done: { set: SetName; list: SetElement[] }[] = [];
  const open = new Map<SetName, { list: SetElement[]; size: number }>();
  for (const element of elements) {
    const size = sizeOf(element);
    let current = open.get(element.set);
    if (current === undefined || current.size + size > LIST_LIMIT) {
      current = { list: [], size: 0 };
      open.set(element.set, current);
      done.push({ set: element.set, list: current.list });
    }
    current.list.push(element);
    current.size += size;
  }
  return done;
}

export function elementMessages(
  name: ElementMessage,
  elements: readonly SetElement[],
  flags = 0,
): NftMessage<ElementMessage>[] {
  const encode = name === 'NEWSETELEM' ? withComment : keyOnly;
  return lists(elements).map(({ set, list }) => {
    return {
      name,
      family: setPlan(set).family,
      flags,
      body: { table: TABLE, set, elements: list.map(encode) },
    };
  });
}
