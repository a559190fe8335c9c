/** Source translation to the address of the outgoing interface (linux/netfilter/nf_tables.h, nft_masq_attributes). */
import { struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const masq = struct({
  flags: u32be(1),
  protoMin: u32be(2),
  protoMax: u32be(3),
});

export type Masq = Decoded<typeof masq>;
