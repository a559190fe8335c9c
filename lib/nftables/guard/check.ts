/** Whether the guard stands as it was promised, every difference in words; and what it has dropped. */
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { checkOwn, checkRules, checkTable } from '../check.ts';
import { describeKey } from '../describe.ts';
import { flushedSets, rulesBehind } from '../intact.ts';
import { TABLE } from '../layout.ts';
import { NFPROTO_NETDEV } from '../message.ts';
import { elementId, presentElements } from '../present.ts';
import { list } from '../query.ts';
import { tableStates } from '../tables.ts';
import { commentIn } from '../userdata.ts';
import { openHooks } from './masters.ts';
import { portElements } from './port-elements.ts';
import type { MooredPort } from './port.ts';

/** What is missing or different; empty when all is as it should be. */
export function checkGuard(nf: NetlinkSocket, port: MooredPort): string[] {
  const state = tableStates(nf, [NFPROTO_NETDEV]).get(NFPROTO_NETDEV);
  const unfit = checkTable(NFPROTO_NETDEV, state);
  if (unfit.length > 0) return unfit;
  const { own, known, shared } = portElements(port);
  const present = presentElements(nf, [...known, ...shared]);
  const behind = rulesBehind(nf, NFPROTO_NETDEV) ?? [];
  return [
    ...checkRules(nf, NFPROTO_NETDEV),
    ...openHooks(nf, port.master, behind).map(
      (hook) => `nftables table netdev ${TABLE}: frames at ${hook} of ${port.master.name} do not come by`,
    ),
    ...flushedSets(nf, [NFPROTO_NETDEV]).map((set) => `nftables set ${set} has been flushed`),
    ...[...known, ...shared]
      .filter((element) => !present.has(elementId(element)))
      .map((element) => `nftables set ${element.set}: ${describeKey(element)} is missing`),
    ...checkOwn(nf, own),
  ];
}

export interface Dropped {
  /** The comment of the rule. */
  readonly what: string;
  readonly packets: bigint;
}

/** How many frames were dropped since the table was built, by what they were; none when there is no table. */
export function droppedFrames(nf: NetlinkSocket): Dropped[] {
  const sums = new Map<string, bigint>();
  for (const { body } of list(nf, 'RULE', NFPROTO_NETDEV, { table: TABLE }, 'read nftables rules')) {
    const counter = body.expressions?.find(({ kind }) => kind === 'counter');
    if (counter?.kind !== 'counter') continue;
    const what = commentIn(body.userdata) ?? '';
    sums.set(what, (sums.get(what) ?? 0n) + (counter.packets ?? 0n));
  }
  return [...sums].map(([what, packets]) => ({ what, packets })).filter(({ packets }) => packets > 0n);
}
