/**
 * Ranges of ports against single ones, and both against addresses that are given away whole: other sets, so the kernel
 * does not see that they are the same port of the host. Of ports, within one store the store has seen to it; this is
 * for what other stores of the host have published.
 */
import type { Address } from '../base/ip.ts';
import { addressFromBytes } from '../base/ip.ts';
import { wordIn } from '../base/transport.ts';
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
  const [from, to] = types.length === 3 ? [first[0], last[0]] : [];
  return {
    family: set.charAt('publish'.length),
    protocol: first.at(-2)?.[0] ?? 0,
    addresses: from && to && [addressFromBytes(from), addressFromBytes(to)],
    ports: [wordIn(first.at(-1)), wordIn(last.at(-1))],
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

/** Whether both would get the same packets, though the kernel does not see it: they are in different sets. */
export function crosses(a: SetElement, b: SetElement): boolean {
  if (isPublic(a.set) !== isPublic(b.set)) return claimsWhole(a, b);
  if (!isPublishing(a.set) || !isPublishing(b.set)) return false;
  return isRange(a.set) !== isRange(b.set) && contend(a, b);
}

/** Whether another process may be about to add what these cross, which the kernel would not see either. */
export function mayCross(own: readonly SetElement[]): boolean {
  return own.some(({ set }) => isPublishing(set) || isPublic(set));
}

/** The key under which a range that has this port is found. */
function inRange({ set, key, comment }: SetElement): SetElement {
  const family = set.charAt('publish'.length) === '4' ? 4 : 6;
  const range: SetName = `publish${family}_range`;
  const rest = Buffer.alloc(family === 4 ? 4 : 16);
  return { set: range, key: set.endsWith('_host') ? key : Buffer.concat([rest, key]), comment };
}

const isPublic = (set: SetName): boolean => set === 'one4' || set === 'one6';

/** The public address that an element publishes a port of, as the key of the set of those that are given away whole. */
function wholeAddress({ set, key, keyEnd = key, comment }: SetElement): SetElement[] {
  if (!isPublishing(set)) return [];
  const [first, last] = [key, keyEnd].map((bytes) => fieldsOf(setPlan(set).key, bytes) ?? []);
  if (first?.length !== 3 || last === undefined) return [];
  const [from, to] = [Buffer.from(first[0] ?? []), Buffer.from(last[0] ?? [])];
  return from.equals(to) ? [{ set: from.length === 4 ? 'one4' : 'one6', key: from, comment }] : [];
}

/** Whether one publishes a port of the very address that the other gives away whole. */
function claimsWhole(a: SetElement, b: SetElement): boolean {
  const [whole, port] = isPublic(a.set) ? [a, b] : [b, a];
  return wholeAddress(port).some(({ set, key }) => set === whole.set && key.equals(whole.key));
}

/**
 * Public addresses with all their ports against single ones of them. What is published on all addresses is on the
 * others.
 */
function refuseWhole(nf: NetlinkSocket, own: readonly SetElement[]): void {
  const ports = own.flatMap(wholeAddress);
  const keys = [...new Map(ports.map((element) => [element.key.toString('latin1'), element])).values()];
  for (const [set, group] of Map.groupBy(keys, (element) => element.set)) {
    const [there] = askFor(nf, set, group).filter(({ comment }) => comment !== group[0]?.comment);
    const mine = there && own.find((element) => claimsWhole(there, element));
    if (there && mine) throw portTaken(mine, there.comment);
  }
  for (const whole of own.filter(({ set }) => isPublic(set))) {
    const family = whole.set === 'one4' ? 4 : 6;
    const sets: SetName[] = [`publish${family}_host`, `publish${family}_range`];
    const there = sets
      .flatMap((set) => elementsOf(nf, set))
      .find((element) => element.comment !== whole.comment && claimsWhole(whole, element));
    if (there) throw portTaken(there, there.comment);
  }
}

/**
 * Throws NetmoorError('port-taken') naming who has published one of these ports, alone, in a range, or with all others
 * of its address.
 */
export function refuseCrossing(nf: NetlinkSocket, own: readonly SetElement[]): void {
  refuseWhole(nf, own);
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
