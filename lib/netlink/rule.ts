/** Routing rules: which table answers for which packets (ip-rule(8)). */
import { bitsOf } from '../base/ip.ts';
import type { Address, Family, Prefix } from '../base/ip.ts';
import { DecodeError } from './attributes.ts';
import { familyNumber } from './ip-field.ts';
import { encodeRule, ruleMessage } from './rule-codec.ts';
import type { RuleMessage } from './rule-codec.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  FIB_RULE_INVERT,
  FR_ACT_BLACKHOLE,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
} from './uapi.ts';

/** "lookup": the routes of `table`; the others drop, silently, with ENETUNREACH or with EACCES. */
export type RuleAction = 'lookup' | 'blackhole' | 'unreachable' | 'prohibit';

const ACTIONS: Readonly<Record<RuleAction, number>> = {
  lookup: FR_ACT_TO_TBL,
  blackhole: FR_ACT_BLACKHOLE,
  unreachable: FR_ACT_UNREACHABLE,
  prohibit: FR_ACT_PROHIBIT,
};

const EVERY_BIT = 0xffffffff;
/** What the kernel says for "none" (fib_nl_fill_rule). */
const NO_PREFIX_LENGTH = 0xffffffff;

export interface Rule {
  readonly family: Family;
  /** The packets it is for: all conditions that are given. */
  readonly from?: Prefix | undefined;
  readonly to?: Prefix | undefined;
  /** Names of interfaces, which need not exist yet: the rule waits for them. */
  readonly iif?: string | undefined;
  readonly oif?: string | undefined;
  /** `mask`: the bits that count; default: all. */
  readonly mark?: { readonly value: number; readonly mask?: number } | undefined;
  /** For all other packets instead. */
  readonly invert?: boolean | undefined;
  readonly action: RuleAction;
  /** Of "lookup". */
  readonly table?: number | undefined;
  /** Of "lookup": routes of this prefix length and shorter ones do not count; 0 for the default routes. */
  readonly suppressPrefixLength?: number | undefined;
  /** Lower ones are asked first; undefined: the kernel puts it before all but the first. */
  readonly priority?: number | undefined;
  /** Who made it: RTPROT_*, or a number of one's own up to 255. */
  readonly protocol?: number | undefined;
}

/** A rule as the kernel tells of it; `action` is undefined for one that none of the others names (FR_ACT_GOTO, …). */
export interface RuleState extends Omit<Rule, 'action'> {
  readonly action: RuleAction | undefined;
  readonly priority: number;
  readonly protocol: number;
}

function messageFor(rule: Rule): Buffer {
  const { family, from, to, iif, oif, mark, table = 0, suppressPrefixLength, priority, protocol } = rule;
  return encodeRule({
    family: familyNumber(family),
    sourceLength: from?.length ?? 0,
    length: to?.length ?? 0,
    table: table > 255 ? 0 : table,
    action: ACTIONS[rule.action],
    flags: rule.invert ? FIB_RULE_INVERT : 0,
    attributes: {
      ...(from && from.length > 0 && { source: from.address }),
      ...(to && to.length > 0 && { destination: to.address }),
      ...(iif !== undefined && { iif }),
      ...(oif !== undefined && { oif }),
      ...(mark && { mark: mark.value }),
      ...(mark?.mask !== undefined && { mask: mark.mask }),
      ...(table > 255 && { table }),
      ...(suppressPrefixLength !== undefined && { suppressPrefixLength }),
      ...(priority !== undefined && { priority }),
      ...(protocol !== undefined && { protocol }),
    },
  });
}

/** Adds a rule; EEXIST when this very rule is there. */
export function ruleAddition(rule: Rule, op: string): NetlinkRequest {
  return { type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, op, data: messageFor(rule) };
}

/**
 * Removes the first rule that is like this one in all that is given; ENOENT when there is none. The kernel does not
 * compare `protocol` (rule_find), so whoever goes by that lists first and gives the priority.
 */
export function ruleRemoval(rule: Rule, op: string): NetlinkRequest {
  return { type: RTM_DELRULE, op, data: messageFor(rule) };
}

function prefixOf(family: Family, address: Address | undefined, length: number): Prefix | undefined {
  if (length === 0) return undefined;
  if (length > bitsOf(family)) throw new DecodeError(`a prefix of ${length} bits`);
  if (address?.family !== family) throw new DecodeError('a rule whose prefix has no address of its family');
  return { address, length };
}

function actionOf(number: number): RuleAction | undefined {
  const names = Object.keys(ACTIONS) as RuleAction[];
  return names.find((name) => ACTIONS[name] === number);
}

function isOfIp({ family }: RuleMessage): boolean {
  return family === AF_INET || family === AF_INET6;
}

function stateOf({ attributes, ...header }: RuleMessage): RuleState {
  const family: Family = header.family === AF_INET ? 4 : 6;
  const { mark, mask = EVERY_BIT, suppressPrefixLength = NO_PREFIX_LENGTH } = attributes;
  const action = actionOf(header.action);
  return {
    family,
    from: prefixOf(family, attributes.source, header.sourceLength),
    to: prefixOf(family, attributes.destination, header.length),
    iif: attributes.iif,
    oif: attributes.oif,
    // A mask alone asks for the mark 0.
    mark: mark === undefined && attributes.mask === undefined ? undefined : { value: mark ?? 0, mask },
    invert: (header.flags & FIB_RULE_INVERT) !== 0,
    action,
    table: action === 'lookup' ? (attributes.table ?? header.table) : undefined,
    suppressPrefixLength: suppressPrefixLength === NO_PREFIX_LENGTH ? undefined : suppressPrefixLength,
    // The kernel leaves out the first one's, which is 0.
    priority: attributes.priority ?? 0,
    protocol: attributes.protocol ?? 0,
  };
}

/** Reads RTM_NEWRULE and RTM_DELRULE of IPv4 and IPv6; throws DecodeError. */
export function decodeRule({ data }: Pick<NetlinkMessage, 'data'>): RuleState {
  const message = ruleMessage.get(data);
  if (!isOfIp(message)) throw new DecodeError(`a rule of the address family ${message.family}`);
  return stateOf(message);
}

/** The rules of IPv4 and IPv6, or of one of them, in the order they are asked; of what the kernel has not, none. */
export function listRules(socket: NetlinkSocket, family?: Family): RuleState[] {
  const data = encodeRule({ family: family === undefined ? AF_UNSPEC : familyNumber(family) });
  const op = family === undefined ? 'list rules' : `list IPv${family} rules`;
  const told = socket.dump({ type: RTM_GETRULE, data, op });
  // Those of multicast routing are among all (RTNL_FAMILY_IPMR).
  return told
    .map((each) => ruleMessage.get(each.data))
    .filter(isOfIp)
    .map(stateOf);
}
