/** Loads bytes of an IPv6 extension header into a register (linux/netfilter/nf_tables.h, nft_exthdr_attributes). */
import { struct, u32be, u8 } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const exthdr = struct({
  dreg: u32be(1),
  sreg: u32be(7),
  /** The header's number (IANA protocol numbers: 44 is Fragment). */
  type: u8(2),
  offset: u32be(3),
  length: u32be(4),
  op: u32be(6),
  flags: u32be(5),
});

export type Exthdr = Decoded<typeof exthdr>;
