/** From an attachment to the elements that stand for it in the guard's sets; pure functions. */
import type { Address } from '../../base/ip.ts';
import { addressBytes, sameAddress } from '../../base/ip.ts';
import { parseMac } from '../../base/mac.ts';
import { concatenate, setPlan } from '../layout.ts';
import type { GuardSet } from '../layout.ts';
import type { SetElement } from '../element.ts';
import { COMMENT_MAX_LENGTH } from '../userdata.ts';
import { ownerComment } from '../owner.ts';
import { LINK_LOCAL_PREFIX, idBytes, prefixesOf } from './port.ts';
import type { Master, MooredPort } from './port.ts';

const NOTHING = Buffer.alloc(8);

/** The comment of what belongs to everybody on a master. No network's name nor digest has a space. */
export function masterComment({ name }: Master): string {
  return `master ${name}`.slice(0, COMMENT_MAX_LENGTH);
}

/** The comment of a macvlan of the host's own. */
export function hostComment({ name }: Master): string {
  return `host ${name}`.slice(0, COMMENT_MAX_LENGTH);
}

/** Whether a comment is one of these, and no attachment's. */
export function isShared(comment: string): boolean {
  return /^(?:master|host) /.test(comment);
}

function indexBytes(index: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(index);
  return bytes;
}

export function element(
  comment: string,
  set: GuardSet,
  { index }: Master,
  ...rest: readonly Uint8Array[]
): SetElement {
  return { set, key: concatenate(setPlan(set).key, [indexBytes(index), ...rest]), comment };
}

/** The index of the master that an element is about. */
export function masterOf({ key }: SetElement): number {
  return key.readUInt32LE(0);
}

type Make = (set: GuardSet, ...rest: readonly Uint8Array[]) => SetElement;

function ownElements(make: Make, mac: Buffer, address: Address): SetElement[] {
  const bytes = addressBytes(address);
  if (address.family === 4) return [make('own4', mac, mac, bytes)];
  return [make('own6', mac, bytes), make('targets6', mac, bytes)];
}

function identifierElements(make: Make, mac: Buffer, identifier: bigint): SetElement[] {
  const id = idBytes(identifier);
  return [make('ids6', mac, Buffer.concat([NOTHING, id])), make('target_ids6', mac, id)];
}

function roamingElements(make: Make, mac: Buffer, port: MooredPort): SetElement[] {
  return [
    make('roaming6', mac),
    ...[LINK_LOCAL_PREFIX, ...prefixesOf(port)].flatMap((prefix) => [
      make('prefixes6', mac, Buffer.concat([prefix, NOTHING])),
      make('target_prefixes6', mac, prefix),
    ]),
  ];
}

function heldElements(make: Make, address: Address): SetElement[] {
  const bytes = addressBytes(address);
  if (address.family === 4) return [make('held4', bytes)];
  return [make('held6', bytes), make('held_targets6', bytes)];
}

export interface PortElements {
  /** Nobody else may have them. */
  readonly own: readonly SetElement[];
  /** Its addresses that nobody has leased: the LAN gave them, and two may believe to have one. */
  readonly known: readonly SetElement[];
  /** What all on the master share. */
  readonly shared: readonly SetElement[];
}

export function portElements(port: MooredPort): PortElements {
  const { master, addresses, held, allow } = port;
  const comment = ownerComment(port.owner);
  const mac = parseMac(port.mac);
  const make: Make = (set, ...rest) => element(comment, set, master, ...rest);
  const leased = (address: Address) => held.some((other) => sameAddress(other, address));
  const others = addresses.filter((address) => !leased(address));
  const shared = (set: GuardSet, ...rest: readonly Uint8Array[]) =>
    element(masterComment(master), set, master, ...rest);
  return {
    own: [
      make('ports', mac),
      make('own4', mac, mac, Buffer.alloc(4)),
      ...[...held, ...others].flatMap((address) => ownElements(make, mac, address)),
      ...held.flatMap((address) => heldElements(make, address)),
      ...port.identifiers.flatMap((identifier) => identifierElements(make, mac, identifier)),
      ...(port.roams ? roamingElements(make, mac, port) : []),
      ...(port.spoofCheck ? [] : [make('admitted', mac)]),
      ...(allow.routerAdvertisements ? [make('routers', mac)] : []),
      ...(allow.dhcpServer ? [make('dhcp_servers', mac)] : []),
    ],
    known: others.flatMap((address) => heldElements(make, address)),
    shared: port.strict
      ? [shared('strict'), ...port.strict.known.map((known) => shared('admitted', parseMac(known)))]
      : [],
  };
}

/** All of them, in whatever order. */
export function allOf({ own, known, shared }: PortElements): SetElement[] {
  return [...own, ...known, ...shared];
}
