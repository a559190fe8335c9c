/**
 * The host's own forward chains that refuse what they do not know: policy drop (Docker, ufw, `iptables -P FORWARD
 * DROP`), or a last rule that drops or rejects everything (firewalld and many hand-written rulesets), perhaps in a
 * chain that rule jumps to. Chains of iptables-legacy are not nf_tables chains and cannot be seen here.
 */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { NFT_GOTO, NFT_JUMP, NF_DROP } from './data.ts';
import type { Expression } from './expression.ts';
import { TABLE } from './layout.ts';
import { NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_UNSPEC } from './message.ts';
import { NF_INET_FORWARD } from './messages/chain.ts';
import type { Rule } from './messages/rule.ts';
import { list } from './query.ts';

export interface ForwardChain {
  readonly family: number;
  readonly table: string;
  readonly name: string;
  readonly dropsByPolicy: boolean;
  /** How many rules it has. */
  readonly use: number;
}

const ROUTED_FAMILIES: readonly number[] = [NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET];
/** As deep as the kernel lets rules jump (include/net/netfilter/nf_tables.h NFT_JUMP_STACK_SIZE). */
const JUMP_LIMIT = 16;
const OP = "look at the host's forward chains";

/** Every base chain at the forward hook but netmoor's own; one dump. */
export function forwardChains(nf: NetlinkSocket): ForwardChain[] {
  return list(nf, 'CHAIN', NFPROTO_UNSPEC, {}, OP).flatMap(({ family, body }) => {
    const { table, name, hook, policy, use } = body;
    if (table === undefined || name === undefined || hook?.hooknum !== NF_INET_FORWARD) return [];
    if (!ROUTED_FAMILIES.includes(family) || table === TABLE) return [];
    return [{ family, table, name, dropsByPolicy: policy === NF_DROP, use: use ?? 0 }];
  });
}

/** A chain's rules in their order. */
export function rulesOf(
  nf: NetlinkSocket,
  { family, table, name }: Pick<ForwardChain, 'family' | 'table' | 'name'>,
): Rule[] {
  const found = list(nf, 'RULE', family, { table, chain: name }, OP);
  return found.map(({ body }) => body).filter((rule) => rule.table === table && rule.chain === name);
}

/** Expressions that do not make a rule depend on the packet. */
function isUnconditional(expression: Expression): boolean {
  if (expression.kind === 'counter') return true;
  if (expression.kind === 'other') return expression.name === 'log';
  return expression.kind === 'match' && expression.name === 'comment';
}

function refuses(expression: Expression): boolean {
  if (expression.kind === 'reject') return true;
  if (expression.kind === 'target') return expression.name === 'REJECT' || expression.name === 'DROP';
  return expression.kind === 'immediate' && expression.data?.verdict?.code === NF_DROP;
}

/** The chain that a rule hands over to. */
function handsOverTo(expression: Expression): string | undefined {
  const verdict = expression.kind === 'immediate' ? expression.data?.verdict : undefined;
  return verdict?.code === NFT_JUMP || verdict?.code === NFT_GOTO ? verdict.chain : undefined;
}

/** Whether nothing gets past the end of these rules. */
function endsRefusing(nf: NetlinkSocket, chain: ForwardChain, rules: readonly Rule[], depth = 0): boolean {
  const expressions = rules.at(-1)?.expressions ?? [];
  const last = expressions.at(-1);
  if (last === undefined || !expressions.slice(0, -1).every(isUnconditional)) return false;
  if (refuses(last)) return true;
  const next = handsOverTo(last);
  if (next === undefined || depth >= JUMP_LIMIT) return false;
  return endsRefusing(nf, chain, rulesOf(nf, { ...chain, name: next }), depth + 1);
}

/** The chains that refuse what they do not know, with their rules. A chain without rules is not asked for them. */
export function refusingChains(nf: NetlinkSocket): { chain: ForwardChain; rules: Rule[] }[] {
  return forwardChains(nf).flatMap((chain) => {
    if (chain.use === 0) return chain.dropsByPolicy ? [{ chain, rules: [] }] : [];
    const rules = rulesOf(nf, chain);
    return chain.dropsByPolicy || endsRefusing(nf, chain, rules) ? [{ chain, rules }] : [];
  });
}
