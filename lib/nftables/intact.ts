/**
 * Whether a table of netmoor's still is what the skeleton made it. The table's comment alone proves nothing: `nft flush
 * table` leaves it, and takes NAT, published ports and the guard from everyone. This is asked by every ADD, and has to
 * be cheap, so the rules are dumped but not decoded: there are as many as there should be, and each ends with its
 * comment. Who replaces a rule and takes the trouble to repeat its comment is believed. (nft reads a saved ruleset back
 * into other bytes for the same rules.) A set that a rule refers to cannot be deleted (EBUSY); that it was flushed its
 * anchor tells.
 */
import { TABLE, setPlan, setsOf } from './layout.ts';
import type { SetName } from './layout.ts';
import { messageType } from './message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { getRequest } from './query.ts';
import { RULE_END, anchorRequests, ruleEnds } from './skeleton.ts';

/**
 * Messages about rules that stand behind those of the skeleton; undefined unless these are all there, in their order.
 */
export function rulesBehind(nf: NetlinkSocket, family: number): Buffer[] | undefined {
  const made = ruleEnds(family);
  const rule = messageType('NEWRULE');
  const said = nf
    .dump(getRequest('RULE', family, { table: TABLE }, 'read nftables rules'))
    .filter(({ type }) => type === rule)
    .map(({ data }) => data);
  const same = made.every((end, index) => said[index]?.subarray(-RULE_END).toString('hex') === end);
  return same ? said.slice(made.length) : undefined;
}

/** Whether the table's rules are those that the skeleton made, all of them and no others, in their order. */
export function hasItsRules(nf: NetlinkSocket, family: number): boolean {
  return rulesBehind(nf, family)?.length === 0;
}

/** The sets of the family's table that have lost their anchor, or are missing; one pipelined request. */
export function flushedSets(nf: NetlinkSocket, families: readonly number[]): SetName[] {
  const op = 'look whether nftables sets were flushed';
  const type = messageType('GETSETELEM');
  const sets = families.flatMap(setsOf);
  const requests = families.flatMap(anchorRequests).map(({ encoded: data }) => ({ type, data, op }));
  const { failures } = nf.exchange(requests);
  const failure = failures.find(({ error }) => error.code !== 'ENOENT');
  if (failure) throw failure.error;
  return failures.flatMap(({ index }) => sets[index] ?? []);
}

/** Of these families, whose tables are there, those whose tables have to be built anew. */
export function damaged(nf: NetlinkSocket, families: readonly number[]): number[] {
  const flushed = new Set(flushedSets(nf, families).map((set) => setPlan(set).family));
  return families.filter((family) => flushed.has(family) || !hasItsRules(nf, family));
}
