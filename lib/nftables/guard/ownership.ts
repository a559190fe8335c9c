/**
 * What makes an address one's own: the sets of the host's table say it of everybody, rules within a container's
 * namespace of one.
 */
import { addressBytes } from '../../base/ip.ts';
import type { Family } from '../../base/ip.ts';
import { parseMac } from '../../base/mac.ts';
import type { Expression } from '../expression.ts';
import { carriesIp, differs } from '../frame-match.ts';
import { equals } from '../match.ts';
import {
  ARP_HEADER,
  arpSender,
  id6,
  isIn,
  isNotIn,
  own4,
  own6,
  ownArp,
  ownTarget,
  prefix6,
  sender,
  source,
  target,
  targetId,
  targetPrefix,
} from './phrases.ts';
import type { Hook } from './phrases.ts';
import { LINK_LOCAL_PREFIX, idBytes, prefixesOf } from './port.ts';
import type { MooredPort } from './port.ts';

/** When all of `match` holds, it is one's own. */
export interface Own {
  readonly comment: string;
  readonly match: readonly Expression[];
}

/** Each a list of which one has to hold. */
export interface Ownership {
  readonly source4: readonly Own[];
  readonly arp: readonly Own[];
  readonly source6: readonly Own[];
  /** Of neighbour discovery; the packet is known to be that. */
  readonly target6: readonly Own[];
}

const ARP = 'its own addresses, or none in a probe (RFC 5227)';
const ADDRESSES = 'its own addresses';
const IDENTIFIERS = 'its own identifiers';
const ELSEWHERE = 'in prefixes not known';

export function bySets(hook: Hook): Ownership {
  const roaming = [...carriesIp(6), ...sender(hook), isIn('roaming6')];
  return {
    source4: [{ comment: ADDRESSES, match: [...own4(hook), isIn('own4')] }],
    arp: [{ comment: ARP, match: [...ownArp(hook), isIn('own4')] }],
    source6: [
      { comment: ADDRESSES, match: [...own6(hook), isIn('own6')] },
      { comment: IDENTIFIERS, match: [...id6(hook), isIn('ids6')] },
      { comment: ELSEWHERE, match: [...roaming, ...prefix6(hook), isNotIn('prefixes6')] },
    ],
    target6: [
      { comment: ADDRESSES, match: [...ownTarget(hook), isIn('targets6')] },
      { comment: IDENTIFIERS, match: [...targetId(hook), isIn('target_ids6')] },
      { comment: ELSEWHERE, match: [...roaming, ...targetPrefix(hook), isNotIn('target_prefixes6')] },
    ],
  };
}

export function byAddresses(port: MooredPort): Ownership {
  const addresses = (family: Family) =>
    port.addresses.filter((address) => address.family === family).map(addressBytes);
  const mac = parseMac(port.mac);
  const own = (comment: string, ...match: Expression[]): Own => ({ comment, match });
  // Together they are ten bytes side by side.
  const arp = (bytes: Buffer) => [
    ...carriesIp('arp'),
    ...ARP_HEADER,
    ...arpSender(Buffer.concat([mac, bytes])),
  ];
  const roaming = (load: Expression) => {
    const known = [LINK_LOCAL_PREFIX, ...prefixesOf(port)].map(differs);
    return port.roams ? [own(ELSEWHERE, ...carriesIp(6), load, ...known)] : [];
  };
  const ids = port.identifiers.map(idBytes);
  return {
    source4: addresses(4).map((bytes) => own(ADDRESSES, ...carriesIp(4), source(4), equals(bytes))),
    arp: [Buffer.alloc(4), ...addresses(4)].map((bytes) => own(ARP, ...arp(bytes))),
    source6: [
      ...addresses(6).map((bytes) => own(ADDRESSES, ...carriesIp(6), source(6), equals(bytes))),
      ...ids.map((bytes) => own(IDENTIFIERS, ...carriesIp(6), source(6, 8, 8), equals(bytes))),
      ...roaming(source(6, 0, 8)),
    ],
    target6: [
      ...addresses(6).map((bytes) => own(ADDRESSES, target(0, 16), equals(bytes))),
      ...ids.map((bytes) => own(IDENTIFIERS, target(8, 8), equals(bytes))),
      ...roaming(target(0, 8)),
    ],
  };
}
