/**
 * Chains; one with a hook is a base chain (linux/netfilter/nf_tables.h, nft_chain_attributes and nft_hook_attributes).
 */
import { bytes, nest, s32be, struct, text, u32be, u64be } from '../../netlink/codec.ts';
import type { Decoded } from '../../netlink/codec.ts';
import { userdata } from '../userdata.ts';
import { counter } from '../expressions/counter.ts';

/** Hook numbers of the families ip, ip6, inet and bridge (linux/netfilter.h nf_inet_hooks). */
export const NF_INET_PRE_ROUTING = 0;
export const NF_INET_LOCAL_IN = 1;
export const NF_INET_FORWARD = 2;
export const NF_INET_LOCAL_OUT = 3;
export const NF_INET_POST_ROUTING = 4;

/** Hook numbers of the family netdev (linux/netfilter_netdev.h, nf_dev_hooks). Egress is of Linux 5.16. */
export const NF_NETDEV_INGRESS = 0;
export const NF_NETDEV_EGRESS = 1;

const hook = struct({
  hooknum: u32be(1),
  priority: s32be(2),
  device: text(3),
  devices: bytes(4),
});

export const chain = struct({
  table: text(1),
  name: text(3),
  type: text(7),
  /** NF_ACCEPT or NF_DROP; only of a base chain. */
  policy: u32be(5),
  use: u32be(6),
  hook: nest(4, hook),
  counters: nest(8, counter),
  handle: u64be(2),
  flags: u32be(10),
  id: u32be(11),
  userdata: userdata(12),
});

export type Chain = Decoded<typeof chain>;
