/**
 * Elements of sets and maps (linux/netfilter/nf_tables.h, nft_set_elem_attributes and nft_set_elem_list_attributes).
 */
import { nest, numbered, struct, text, u32be, u64be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { data } from '../data.ts';
import { userdata } from '../userdata.ts';

export const element = struct({
  flags: u32be(3),
  timeout: u64be(4),
  expiration: u64be(5),
  key: nest(1, data),
  /** The last key of an interval, inclusive (sets of NFT_SET_CONCAT | NFT_SET_INTERVAL). */
  keyEnd: nest(10, data),
  data: nest(2, data),
  userdata: userdata(6),
  objectName: text(9),
});

export type Element = Decoded<typeof element>;

export const elements = struct({
  table: text(1),
  set: text(2),
  setId: u32be(4),
  elements: nest(3, numbered(element)),
});

export type Elements = Decoded<typeof elements>;
