/** What of a server's associations is ours, and sound. */
import {
  formatPrefix,
  isLinkLocal,
  networkOf,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '../../../../lib/base/ip.ts';
import type { Prefix } from '../../../../lib/base/ip.ts';
import { SHORTEST_LEASE_S } from '../../shortest.ts';
import type { Message6 } from '../message.ts';
import type { Ia } from '../options/ia.ts';
import type { Status } from '../options/status-code.ts';
import { SUCCESS } from '../options/status-code.ts';
import { delegationsOf } from './wish.ts';
import type { Wish6 } from './wish.ts';

/** Lifetimes in seconds as the wire has them; valid 0: no longer. */
export interface GrantedPart {
  /** An address, or a prefix with its length. */
  readonly text: string;
  readonly preferred: number;
  readonly valid: number;
}

export interface Grant {
  readonly kind: 'IA_NA' | 'IA_PD';
  readonly iaid: number;
  readonly t1: number;
  readonly t2: number;
  /** Status code. */
  readonly status: number;
  readonly parts: readonly GrantedPart[];
}

/** As many as an interface should get from one association; nobody grants more in earnest. */
const MOST_PARTS = 16;

const MULTICAST = parsePrefix('ff00::/8');
/** Unspecified, loopback, and IPv4 in disguise. */
const LOW = parsePrefix('::/64');

function isUnicast(text: string): boolean {
  const address = parseAddress(text);
  return !isLinkLocal(address) && ![MULTICAST, LOW].some((range: Prefix) => prefixContains(range, address));
}

/** Without host bits; undefined for what cannot be delegated. */
function prefixText(text: string): string | undefined {
  const prefix = networkOf(parsePrefix(text));
  const written = formatPrefix(prefix);
  return prefix.length > 0 && isUnicast(written.slice(0, written.indexOf('/'))) ? written : undefined;
}

/** What stands beside an error is not granted. */
function grant<V extends { readonly status?: Status }>(
  kind: Grant['kind'],
  { iaid, t1, t2, options }: Ia<V>,
  parts: (options: V) => readonly GrantedPart[],
): Grant {
  const status = options.status?.code ?? SUCCESS;
  return { kind, iaid, t1, t2, status, parts: status === SUCCESS ? parts(options) : [] };
}

interface WirePart {
  readonly preferred: number;
  readonly valid: number;
  readonly options: { readonly status?: Status };
}

function soundParts<P extends WirePart>(
  parts: readonly P[] = [],
  textOf: (part: P) => string | undefined,
): GrantedPart[] {
  const sound = parts.flatMap((part) => {
    const { preferred, valid, options } = part;
    const text = textOf(part);
    const failed = (options.status?.code ?? SUCCESS) !== SUCCESS;
    const isTooShort = valid > 0 && valid < SHORTEST_LEASE_S;
    return text === undefined || failed || isTooShort || preferred > valid
      ? []
      : [{ text, preferred, valid }];
  });
  const firsts = new Map(sound.toReversed().map((part) => [part.text, part]));
  return [...firsts.values()].reverse().slice(0, MOST_PARTS);
}

/** The first association of this number whose times are in order (section 21.4: T1 beyond T2 is to be ignored). */
function ours<V extends { readonly status?: Status }>(
  associations: readonly Ia<V>[] | undefined,
  wanted: number,
): Ia<V> | undefined {
  return associations?.find(({ iaid, t1, t2 }) => iaid === wanted && !(t1 > t2 && t2 > 0));
}

/** Associations that were asked for. */
export function grantsIn(wish: Wish6, { options: { iaNa, iaPd } }: Message6): Grant[] {
  const na = wish.addresses ? ours(iaNa, wish.iaid) : undefined;
  const pds = delegationsOf(wish).flatMap(({ iaid }) => ours(iaPd, iaid) ?? []);
  const addressOf = ({ address }: { readonly address: string }) => (isUnicast(address) ? address : undefined);
  return [
    ...(na ? [grant('IA_NA', na, ({ addresses }) => soundParts(addresses, addressOf))] : []),
    ...pds.map((pd) =>
      grant('IA_PD', pd, ({ prefixes }) => soundParts(prefixes, ({ prefix }) => prefixText(prefix))),
    ),
  ];
}

/** How many associations are asked for. */
export function associationsOf(wish: Wish6): number {
  return (wish.addresses ? 1 : 0) + delegationsOf(wish).length;
}

/** Parts that may be used. */
export function liveParts({ parts }: Grant): readonly GrantedPart[] {
  return parts.filter(({ valid }) => valid > 0);
}
