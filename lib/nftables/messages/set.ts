/**
 * Sets and maps (linux/netfilter/nf_tables.h, nft_set_attributes, nft_set_desc_attributes, nft_set_field_attributes).
 */
import { listOf, nest, struct, text, u32be, u64be } from '../../netlink/codec.ts';
import { NLA_F_NESTED } from '../../netlink/uapi.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { userdata } from '../userdata.ts';

export const NFT_SET_INTERVAL = 0x4;
export const NFT_SET_MAP = 0x8;
export const NFT_SET_TIMEOUT = 0x10;
export const NFT_SET_EVAL = 0x20;
export const NFT_SET_CONCAT = 0x80;

const NFTA_LIST_ELEM = 1 | NLA_F_NESTED;

const field = struct({ length: u32be(1) });

const description = struct({
  size: u32be(1),
  /** The lengths of a concatenation's fields, in bytes; needed with NFT_SET_INTERVAL. */
  fields: nest(2, listOf(NFTA_LIST_ELEM, field)),
});

export const set = struct({
  table: text(1),
  name: text(2),
  handle: u64be(16),
  flags: u32be(3),
  /** The kernel ignores the types of key and data; nft reads elements by them. */
  keyType: u32be(4),
  keyLength: u32be(5),
  dataType: u32be(6),
  dataLength: u32be(7),
  objectType: u32be(15),
  id: u32be(10),
  policy: u32be(8),
  description: nest(9, description),
  timeout: u64be(11),
  gcInterval: u32be(12),
  userdata: userdata(13),
});

export type SetDefinition = Decoded<typeof set>;
