/** Loads what connection tracking knows (linux/netfilter/nf_tables.h, nft_ct_attributes). */
import { struct, u32be, u8 } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const NFT_CT_STATE = 0;
export const NFT_CT_STATUS = 2;

/** Bits of the state, 1 << ip_conntrack_info + 1 (net/netfilter/nf_conntrack.h NF_CT_STATE_BIT). */
export const NF_CT_STATE_ESTABLISHED = 2;
export const NF_CT_STATE_RELATED = 4;

/** linux/netfilter/nf_conntrack_common.h: the destination is translated. */
export const IPS_DST_NAT = 0x20;

export const ct = struct({
  key: u32be(2),
  dreg: u32be(1),
  direction: u8(3),
  sreg: u32be(4),
});

export type Ct = Decoded<typeof ct>;
