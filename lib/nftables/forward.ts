/**
 * A way through the host's own firewall. What a chain of another table drops stays dropped, whatever ours accepts; so
 * where the host's forward chains refuse by default, netmoor puts three rules of its own at their top, tagged "netmoor
 * BRIDGE": out of the bridge everything, into it answers and what was redirected to a published port.
 */
import { NLM_F_CREATE } from '../netlink/socket.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { NF_ACCEPT } from './data.ts';
import type { Expression } from './expression.ts';
import {
  IPS_DST_NAT,
  NFT_CT_STATE,
  NFT_CT_STATUS,
  NF_CT_STATE_ESTABLISHED,
  NF_CT_STATE_RELATED,
} from './expressions/ct.ts';
import { NFT_META_IIFNAME, NFT_META_OIFNAME } from './expressions/meta.ts';
import { forwardChains, refusingChains, rulesOf } from './forward-chains.ts';
import type { ForwardChain } from './forward-chains.ts';
import { ctBits, equals, ifnameBytes, loadMeta, verdict } from './match.ts';
import { NFPROTO_INET, NFPROTO_IPV4 } from './message.ts';
import type { NftMessage } from './message.ts';
import type { Rule } from './messages/rule.ts';
import { refuseOwned } from './owned.ts';
import { commitPlanned } from './planned.ts';
import { commentIn, commented } from './userdata.ts';
import {
  XT_STATE_DNAT,
  XT_STATE_ESTABLISHED,
  XT_STATE_RELATED,
  comment,
  commentText,
  conntrackState,
} from './xt.ts';

const ACCEPT = verdict(NF_ACCEPT);

function tag(bridge: string): string {
  return `netmoor ${bridge}`;
}

/** The table that iptables-nft keeps its FORWARD chain in. iptables reads only rules made of its own matches. */
function isIptables({ family, table, name }: ForwardChain): boolean {
  return family !== NFPROTO_INET && table === 'filter' && name === 'FORWARD';
}

function iptablesRules(bridge: string): Pick<Rule, 'expressions' | 'compat'>[] {
  // With its terminating zero, the comparison takes in the whole name.
  const name = equals(Buffer.from(`${bridge}\0`));
  const rule = (key: number, ...matches: Expression[]) => ({
    expressions: [
      loadMeta(key),
      name,
      ...matches,
      comment(tag(bridge)),
      { kind: 'counter', bytes: 0n, packets: 0n } as const,
      ACCEPT,
    ],
    compat: { protocol: 0, flags: 0 },
  });
  return [
    rule(NFT_META_IIFNAME),
    rule(NFT_META_OIFNAME, conntrackState(XT_STATE_ESTABLISHED | XT_STATE_RELATED)),
    rule(NFT_META_OIFNAME, conntrackState(XT_STATE_DNAT)),
  ];
}

function nativeRules(bridge: string): Pick<Rule, 'expressions' | 'userdata'>[] {
  const name = equals(ifnameBytes(bridge));
  const userdata = commented(tag(bridge));
  const rule = (key: number, ...matches: Expression[]) => ({
    expressions: [loadMeta(key), name, ...matches, ACCEPT],
    userdata,
  });
  return [
    rule(NFT_META_IIFNAME),
    rule(NFT_META_OIFNAME, ...ctBits(NFT_CT_STATE, NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED)),
    rule(NFT_META_OIFNAME, ...ctBits(NFT_CT_STATUS, IPS_DST_NAT)),
  ];
}

function isTagged(rule: Rule, bridge: string): boolean {
  const texts = [commentIn(rule.userdata), ...(rule.expressions ?? []).map(commentText)];
  return texts.includes(tag(bridge));
}

const RULE_COUNT = 3;

function tagged(rules: readonly Rule[], bridge: string): Rule[] {
  return rules.filter((rule) => isTagged(rule, bridge));
}

function deletion({ family, table, name }: ForwardChain, { handle = 0n }: Rule): NftMessage {
  return { name: 'DELRULE', family, body: { table, chain: name, handle } };
}

/** Inserted one after the other at the top, so the last of them comes to stand first. */
function insertions(chain: ForwardChain, bridge: string): NftMessage[] {
  const rules = isIptables(chain) ? iptablesRules(bridge) : nativeRules(bridge);
  return rules.map((rule) => {
    return {
      name: 'NEWRULE',
      family: chain.family,
      flags: NLM_F_CREATE,
      body: { table: chain.table, chain: chain.name, ...rule },
    };
  });
}

/** What is missing for it. */
function acceptance(nf: NetlinkSocket, bridge: string): NftMessage[] {
  return refusingChains(nf).flatMap(({ chain, rules }) => {
    const there = tagged(rules, bridge);
    if (there.length === RULE_COUNT) return [];
    return [...there.map((rule) => deletion(chain, rule)), ...insertions(chain, bridge)];
  });
}

/**
 * Lets the bridge's traffic through wherever the host's own chains refuse by default. Repeating it changes nothing.
 * Throws NetmoorError('name-taken') for a firewall that has its table for itself.
 */
export function acceptForwarding(nf: NetlinkSocket, bridge: string): void {
  commitPlanned(nf, "accept forwarding in the host's firewall", () => acceptance(nf, bridge));
}

/** Throws what acceptForwarding() would throw, and changes nothing. */
export function foreseeForwarding(nf: NetlinkSocket, bridge: string): void {
  for (const message of acceptance(nf, bridge)) refuseOwned(nf, message);
}

/** Removes every rule that acceptForwarding() added for the bridge, also where the host no longer refuses. */
export function withdrawForwarding(nf: NetlinkSocket, bridge: string): void {
  commitPlanned(nf, "remove netmoor's rules from the host's firewall", () =>
    forwardChains(nf)
      .filter(({ use }) => use > 0)
      .flatMap((chain) => tagged(rulesOf(nf, chain), bridge).map((rule) => deletion(chain, rule))),
  );
}

/**
 * The bridge whose name a rule is tagged with and looks at; rules that a person has commented alike look at something
 * else.
 */
function taggedBridge(rule: Rule): string | undefined {
  const expressions = rule.expressions ?? [];
  const texts = [commentIn(rule.userdata), ...expressions.map(commentText)];
  const bridge = texts.find((text) => text?.startsWith(tag('')))?.slice(tag('').length);
  if (bridge === undefined) return undefined;
  const names = [ifnameBytes(bridge), Buffer.from(`${bridge}\0`)];
  const looks = expressions.some(({ kind, ...rest }) => {
    const value =
      kind === 'cmp' && 'data' in rest && rest.data && 'value' in rest.data ? rest.data.value : undefined;
    return value !== undefined && names.some((name) => name.equals(value));
  });
  return looks ? bridge : undefined;
}

/** The bridges that acceptForwarding() has opened the host's firewall for. */
export function forwardedBridges(nf: NetlinkSocket): string[] {
  const rules = forwardChains(nf)
    .filter(({ use }) => use > 0)
    .flatMap((chain) => rulesOf(nf, chain));
  return [...new Set(rules.flatMap((rule) => taggedBridge(rule) ?? []))];
}

function nameOf({ family, table, name }: ForwardChain): string {
  const families = new Map([
    [NFPROTO_INET, 'inet'],
    [NFPROTO_IPV4, 'ip'],
  ]);
  return `${families.get(family) ?? 'ip6'} ${table} ${name}`;
}

/** The chains that refuse the bridge's traffic, in words; empty when none does. */
export function checkForwarding(nf: NetlinkSocket, bridge: string): string[] {
  return refusingChains(nf)
    .filter(({ rules }) => tagged(rules, bridge).length !== RULE_COUNT)
    .map(
      ({ chain }) =>
        `the host's firewall chain ${nameOf(chain)} drops by default and does not let bridge ${bridge} through`,
    );
}
