/** Values and verdicts (linux/netfilter/nf_tables.h, nft_data_attributes and nft_verdict_attributes). */
import { bytes, nest, s32be, struct, text, u32be } from '../netlink/codec.ts';
import type { Decoded } from '../netlink/codec.ts';

export const NF_DROP = 0;
export const NF_ACCEPT = 1;
export const NFT_JUMP = -3;
export const NFT_GOTO = -4;
export const NFT_RETURN = -5;

const verdict = struct({
  code: s32be(1),
  chain: text(2),
  chainId: u32be(3),
});

/** Either `value` (bytes of a register, of a key, of a map's data) or `verdict`. */
export const data = struct({
  value: bytes(1),
  verdict: nest(2, verdict),
});

export type Data = Decoded<typeof data>;
