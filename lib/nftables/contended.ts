/**
 * Ranges of ports against single ones: two sets, so the kernel does not see that they are the same port of the host.
 * Within one store the store has seen to it; this is for what other stores of the host have published.
 */
import type { Address } from '../base/ip.ts';
import { addressFromBytes } from '../base/ip.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import type { SetElement } from './element.ts';
import { fieldsOf, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { portTaken } from './port-taken.ts';
import { KEYS_ASKED_SINGLY, askFor, elementsOf } from './present.ts';

type Publishing = Extract<SetName, `publish${string}`>;

function isPublishing(set: SetName): set is Publishing {
  return set.startsWith('publish');
}

const isRange = (set: SetName): boolean => set.endsWith('_range');

/** What of the host an element publishes; addresses undefined for all of them. */
interface Place {
  readonly family: string;
  readonly protocol: number;
  readonly addresses: readonly [Address, Address] | undefined;
  readonly ports: readonly [number, number];
}

function placeOf({ set, key, keyEnd = key }: SetElement): Place {
  const types = setPlan(set).key;
  const [first, last] = [key, keyEnd].map((bytes) => fieldsOf(types, bytes) ?? []) as [
    Uint8Array[],
    Uint8Array[],
  ];
  const port = (fields: readonly Uint8Array[]): number => Buffer.from(fields.at(-1) ?? [0, 0]).readUInt16BE();
  const [from, to] = types.length === 3 ? [first[0], last[0]] : [];
  return {
    family: set.charAt('publish'.length),
    protocol: first.at(-2)?.[0] ?? 0,
    addresses: from && to && [addressFromBytes(from), addressFromBytes(to)],
    ports: [port(first), port(last)],
  };
}

/** Both would get the same packets. */
export function contend(a: SetElement, b: SetElement): boolean {
  const [x, y] = [placeOf(a), placeOf(b)];
  if (x.family !== y.family || x.protocol !== y.protocol) return false;
  if (x.ports[0] > y.ports[1] || y.ports[0] > x.ports[1]) return false;
  if (x.addresses === undefined || y.addresses === undefined) return true;
  return x.addresses[0].value <= y.addresses[1].value && y.addresses[0].value <= x.addresses[1].value;
}

/** Whether one of the two is a range and the other is not, and both would get the same packets. */
export function crosses(a: SetElement, b: SetElement): boolean {
  if (!isPublishing(a.set) || !isPublishing(b.set)) return false;
  return isRange(a.set) !== isRange(b.set) && contend(a, b);
}

/** The key under which a range that has this port is found. */
function inRange({ set, key, comment }: SetElement): SetElement {
  const family = set.charAt('publish'.length) === '4' ? 4 : 6;
  const range: SetName = `publish${family}_range`;
  const rest = Buffer.alloc(family === 4 ? 4 : 16);
  return { set: range, key: set.endsWith('_host') ? key : Buffer.concat([rest, key]), comment };
}

/** Throws NetmoorError('port-taken') naming who has published one of these ports, alone or in a range. */
export function refuseCrossing(nf: NetlinkSocket, own: readonly SetElement[]): void {
  const publishing = own.filter(({ set }) => isPublishing(set));
  const singles = publishing.filter(({ set }) => !isRange(set));
  const ranges = publishing.filter(({ set }) => isRange(set));
  for (const [set, group] of Map.groupBy(singles.map(inRange), (element) => element.set)) {
    const ranges = group.length <= KEYS_ASKED_SINGLY ? askFor(nf, set, group) : elementsOf(nf, set);
    for (const there of ranges) {
      const mine = singles.find((element) => crosses(element, there) && element.comment !== there.comment);
      if (mine) throw portTaken(mine, there.comment);
    }
  }
  if (ranges.length === 0) return;
  const families = new Set(ranges.map(({ set }) => set.replace('_range', '')));
  const theirs = [...families]
    .flatMap((set) => [set, `${set}_host`] as SetName[])
    .flatMap((set) => elementsOf(nf, set));
  for (const there of theirs) {
    const mine = ranges.find((element) => crosses(element, there) && element.comment !== there.comment);
    if (mine) throw portTaken(mine, there.comment);
  }
}
