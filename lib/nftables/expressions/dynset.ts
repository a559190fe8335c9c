/** Adds what a register holds to a set, from within a rule (linux/netfilter/nf_tables.h, nft_dynset_attributes). */
import { struct, text, u32be, u64be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

/** Adds, or begins its time anew (enum nft_dynset_ops). */
export const NFT_DYNSET_OP_UPDATE = 1;

export const dynset = struct({
  sregKey: u32be(4),
  sregData: u32be(5),
  op: u32be(3),
  timeout: u64be(6),
  set: text(1),
  setId: u32be(2),
  flags: u32be(9),
});

export type Dynset = Decoded<typeof dynset>;
