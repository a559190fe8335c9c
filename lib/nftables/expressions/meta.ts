/** Loads what the kernel knows about a packet beside its bytes (linux/netfilter/nf_tables.h, nft_meta_attributes). */
import { struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const NFT_META_PROTOCOL = 1;
export const NFT_META_IIF = 4;
export const NFT_META_OIF = 5;
export const NFT_META_IIFNAME = 6;
export const NFT_META_OIFNAME = 7;
export const NFT_META_IIFTYPE = 8;
export const NFT_META_SKUID = 10;
export const NFT_META_NFPROTO = 15;
export const NFT_META_L4PROTO = 16;
export const NFT_META_PKTTYPE = 19;

export const meta = struct({
  key: u32be(2),
  dreg: u32be(1),
  sreg: u32be(3),
});

export type Meta = Decoded<typeof meta>;
