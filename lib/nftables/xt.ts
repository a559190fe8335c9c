/**
 * Matches of iptables, as iptables-nft puts them into its rules, so that `iptables -S` reads ours like its own
 * (linux/netfilter/xt_conntrack.h struct xt_conntrack_mtinfo3, linux/netfilter/xt_comment.h struct xt_comment_info).
 */
import type { Expression } from './expression.ts';

/** sizeof(struct xt_conntrack_mtinfo3), and of xt_comment_info, rounded up to eight bytes as XT_ALIGN does. */
const CONNTRACK_INFO_LENGTH = 168;
const COMMENT_INFO_LENGTH = 256;
/** Offsets within struct xt_conntrack_mtinfo3. */
const MATCH_FLAGS = 146;
const STATE_MASK = 150;
/** The rule looks at the state. */
const XT_CONNTRACK_STATE = 0x1;

/** XT_CONNTRACK_STATE_BIT() of established and related, and XT_CONNTRACK_STATE_DNAT. */
export const XT_STATE_ESTABLISHED = 0x2;
export const XT_STATE_RELATED = 0x4;
export const XT_STATE_DNAT = 0x80;

/** `-m conntrack --ctstate` with any of these states. */
export function conntrackState(states: number): Expression {
  const info = Buffer.alloc(CONNTRACK_INFO_LENGTH);
  info.writeUInt16LE(XT_CONNTRACK_STATE, MATCH_FLAGS);
  info.writeUInt16LE(states, STATE_MASK);
  return { kind: 'match', name: 'conntrack', revision: 3, info };
}

/** `-m comment --comment`. */
export function comment(text: string): Expression {
  const info = Buffer.alloc(COMMENT_INFO_LENGTH);
  info.write(text, 0, COMMENT_INFO_LENGTH - 1);
  return { kind: 'match', name: 'comment', revision: 0, info };
}

/** The text of a comment match. */
export function commentText(expression: Expression): string | undefined {
  if (expression.kind !== 'match' || expression.name !== 'comment' || !expression.info) return undefined;
  return Buffer.from(expression.info).toString('utf8').replace(/\0.*$/s, '');
}
