/** Loads bytes of a packet header into a register (linux/netfilter/nf_tables.h, nft_payload_attributes). */
import { struct, u32be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const NFT_PAYLOAD_LL_HEADER = 0;
export const NFT_PAYLOAD_NETWORK_HEADER = 1;
export const NFT_PAYLOAD_TRANSPORT_HEADER = 2;

export const payload = struct({
  dreg: u32be(1),
  base: u32be(2),
  offset: u32be(3),
  length: u32be(4),
  sreg: u32be(5),
  csumType: u32be(6),
  csumOffset: u32be(7),
  csumFlags: u32be(8),
});

export type Payload = Decoded<typeof payload>;
