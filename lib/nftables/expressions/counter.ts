/** Counts packets and bytes (linux/netfilter/nf_tables.h, nft_counter_attributes). */
import { struct, u64be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';

export const counter = struct({
  bytes: u64be(1),
  packets: u64be(2),
});

export type Counter = Decoded<typeof counter>;
