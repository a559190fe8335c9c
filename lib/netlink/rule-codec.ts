/** Messages about routing rules as bytes and back (ip-rule(8), linux/fib_rules.h struct fib_rule_hdr). */
import { encode, headed, struct, text, u32, u8 } from './codec.ts';
import type { Decoded } from './codec.ts';
import { ipAddress } from './ip-field.ts';
import {
  FRA_DST,
  FRA_FWMARK,
  FRA_FWMASK,
  FRA_IIFNAME,
  FRA_OIFNAME,
  FRA_PRIORITY,
  FRA_PROTOCOL,
  FRA_SRC,
  FRA_SUPPRESS_PREFIXLEN,
  FRA_TABLE,
} from './uapi.ts';

const ruleAttributes = struct({
  source: ipAddress(FRA_SRC),
  destination: ipAddress(FRA_DST),
  /** Names of interfaces, which need not exist. */
  iif: text(FRA_IIFNAME),
  oif: text(FRA_OIFNAME),
  mark: u32(FRA_FWMARK),
  mask: u32(FRA_FWMASK),
  /** All of the number, of which the header has room for eight bits. */
  table: u32(FRA_TABLE),
  /** 0xffffffff: none, as the kernel says it. */
  suppressPrefixLength: u32(FRA_SUPPRESS_PREFIXLEN),
  priority: u32(FRA_PRIORITY),
  /** RTPROT_* */
  protocol: u8(FRA_PROTOCOL),
});

/** What follows the netlink header of RTM_NEWRULE and its like; reading throws DecodeError. */
export const ruleMessage = headed(
  'a rule message',
  {
    /** AF_INET or AF_INET6. */
    family: 1,
    /** Lengths of the prefixes of destination and source. */
    length: 1,
    sourceLength: 1,
    tos: 1,
    table: 1,
    reserved1: 1,
    reserved2: 1,
    /** FR_ACT_* */
    action: 1,
    /** FIB_RULE_* */
    flags: 4,
  },
  ruleAttributes,
);
export type RuleMessage = Decoded<typeof ruleMessage>;

export function encodeRule(message: Partial<RuleMessage>): Buffer {
  return encode(ruleMessage, {
    family: 0,
    length: 0,
    sourceLength: 0,
    tos: 0,
    table: 0,
    reserved1: 0,
    reserved2: 0,
    action: 0,
    flags: 0,
    attributes: {},
    ...message,
  });
}
