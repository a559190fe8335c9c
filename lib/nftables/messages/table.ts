/** Tables (linux/netfilter/nf_tables.h, nft_table_attributes). */
import { struct, text, u32be, u64be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { userdata } from '../userdata.ts';

export const table = struct({
  name: text(1),
  handle: u64be(4),
  flags: u32be(2),
  use: u32be(3),
  userdata: userdata(6),
  owner: u32be(7),
});

export type Table = Decoded<typeof table>;
