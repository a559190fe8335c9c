/** Refuses a packet with an answer (linux/netfilter/nf_tables.h, nft_reject_attributes). */
import { struct, u32be, u8 } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const reject = struct({
  type: u32be(1),
  icmpCode: u8(2),
});

export type Reject = Decoded<typeof reject>;
