/** What the rules of several chains ask of a packet. */
import type { Expression } from './expression.ts';
import { IPS_DST_NAT, NFT_CT_STATUS } from './expressions/ct.ts';
import { NFT_META_IIFNAME, NFT_META_OIFNAME } from './expressions/meta.ts';
import { ctBits, equals, inSet, loadAddress, loadMeta, masked, ofFamily } from './match.ts';
import type { SetName } from './layout.ts';

export const from = (set: SetName): Expression[] => [loadMeta(NFT_META_IIFNAME), inSet(set)];
export const to = (set: SetName): Expression[] => [loadMeta(NFT_META_OIFNAME), inSet(set)];
/** Both interfaces, into registers 1 and 2. */
export const THROUGH: readonly Expression[] = [loadMeta(NFT_META_IIFNAME), loadMeta(NFT_META_OIFNAME, 2)];
/** The same two, as the answer will go. */
export const BACKWARDS: readonly Expression[] = [loadMeta(NFT_META_OIFNAME), loadMeta(NFT_META_IIFNAME, 2)];

export const REDIRECTED: readonly Expression[] = ctBits(NFT_CT_STATUS, IPS_DST_NAT);

export const loopback = (which: 'source' | 'destination'): Expression[] =>
  [ofFamily(4), loadAddress(4, which, 1, 1), equals(Buffer.from([127]))].flat();

function prefix6(bits: number, mask: number): Expression[] {
  const [first, ones] = [Buffer.alloc(16), Buffer.alloc(16)];
  first.writeUInt16BE(bits);
  ones.writeUInt16BE(mask);
  return masked(ones, first);
}

/** The address in register 1 is of fe80::/10. */
export const LINK_LOCAL: readonly Expression[] = prefix6(0xfe80, 0xffc0);
