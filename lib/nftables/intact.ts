/**
 * Whether a table of netmoor's still is what the skeleton made it. Its comment alone proves nothing: `nft flush table` leaves
 * the comment, and takes NAT, published ports and the guard from everyone. This is asked by every ADD, and has to be cheap:
 *
 * - The kernel numbers chains, sets and rules of a table in the order of their making (nf_tables_alloc_handle), and the skeleton
 *   makes all rules in a row: as many as there should be, with consecutive handles, have been there from the beginning.
 * - `nft replace` keeps the handle; the comment goes, unless one takes the trouble to repeat it. Then only CHECK notices
 *   (exact-rules.ts).
 * - A set that a rule refers to cannot be deleted (EBUSY); that it was flushed its anchor tells.
 */
import { eachAttribute } from './codec.ts';
import { TABLE, setPlan, setsOf } from './layout.ts';
import type { SetName } from './layout.ts';
import { messageType } from './message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { getRequest } from './query.ts';
import { anchorRequests, skeleton } from './skeleton.ts';

const NFTA_RULE_HANDLE = 3;
const NFGENMSG_LENGTH = 4;
/** Messages about rules end with the comment, ours and the kernel's; the attribute of the shortest has as many bytes. */
const COMMENT_END = 16;

function handleOf(data: Buffer): number {
  let handle = 0;
  eachAttribute(data.subarray(NFGENMSG_LENGTH), (attribute, payload) => {
    if (attribute === NFTA_RULE_HANDLE) handle = payload.readUInt32BE(4);
  });
  return handle;
}

/** Whether the table's rules are those that the skeleton made, all of them and no others, in their order. */
export function hasItsRules(nf: NetlinkSocket, family: number): boolean {
  const made = skeleton(family).filter(({ name }) => name === 'NEWRULE');
  const rule = messageType('NEWRULE');
  const said = nf
    .dump(getRequest('RULE', family, { table: TABLE }, 'read nftables rules'))
    .filter(({ type }) => type === rule);
  if (said.length !== made.length || said[0] === undefined) return false;
  const first = handleOf(said[0].data);
  return said.every(({ data }, index) => {
    const { encoded = Buffer.alloc(0) } = made[index] ?? {};
    const comment = encoded.subarray(encoded.length - COMMENT_END);
    return handleOf(data) === first + index && data.subarray(data.length - COMMENT_END).equals(comment);
  });
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
