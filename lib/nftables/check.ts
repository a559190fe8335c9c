/** Whether the kernel holds what an attachment was promised; every difference in words. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { describeData, describeKey } from './describe.ts';
import { bridgeElements } from './bridge-elements.ts';
import { attachmentElements } from './elements.ts';
import type { SetElement } from './element.ts';
import { flushedSets } from './intact.ts';
import { chainsOf } from './layout-rules.ts';
import { TABLE } from './layout.ts';
import { NFPROTO_BRIDGE, NFPROTO_NETDEV } from './message.ts';
import { covers, distinct, elementId, elementsOf, presentElements } from './present.ts';
import { list } from './query.ts';
import { familiesOf } from './rebuild.ts';
import type { AttachmentRules } from './rules.ts';
import { tableStates } from './tables.ts';
import type { TableState } from './tables.ts';
import { commentIn } from './userdata.ts';

const FAMILY_NAMES: ReadonlyMap<number, string> = new Map([
  [NFPROTO_BRIDGE, 'bridge'],
  [NFPROTO_NETDEV, 'netdev'],
]);

function tableName(family: number): string {
  return `nftables table ${FAMILY_NAMES.get(family) ?? 'inet'} ${TABLE}`;
}

/** The rules are known by their comments; a chain with others, or fewer, has been tampered with. */
export function checkRules(nf: NetlinkSocket, family: number): string[] {
  const rules = Map.groupBy(
    list(nf, 'RULE', family, { table: TABLE }, 'read nftables rules'),
    ({ body }) => body.chain,
  );
  return chainsOf(family).flatMap((chain) => {
    const there = (rules.get(chain.name) ?? []).map(({ body }) => commentIn(body.userdata));
    const same =
      there.length === chain.rules.length &&
      chain.rules.every(({ comment }, index) => comment === there[index]);
    return same ? [] : [`${tableName(family)}: chain ${chain.name} has been changed`];
  });
}

export function checkTable(family: number, state: TableState | undefined): string[] {
  if (state === undefined) return [`${tableName(family)} is missing`];
  if (!state.current) return [`${tableName(family)} was made by another version`];
  return state.dormant ? [`${tableName(family)} is dormant: somebody has switched it off`] : [];
}

export function checkOwn(nf: NetlinkSocket, own: readonly SetElement[]): string[] {
  const present = presentElements(nf, own);
  return own.flatMap((element) => {
    const what = `nftables set ${element.set}: ${describeKey(element)}`;
    const there = present.get(elementId(element));
    if (there === undefined) return [`${what} is missing`];
    if (there.comment !== element.comment)
      return [`${what} belongs to ${there.comment || 'an unnamed owner'}`];
    if (element.data && !there.data?.equals(element.data))
      return [`${what} leads to ${describeData(there)}, not ${describeData(element)}`];
    return [];
  });
}

function checkShared(nf: NetlinkSocket, shared: readonly SetElement[]): string[] {
  const present = [...new Set(shared.map(({ set }) => set))].flatMap((set) => elementsOf(nf, set));
  return shared.flatMap((element) => {
    const there = present.some((other) => elementId(other) === elementId(element) || covers(other, element));
    return there ? [] : [`nftables set ${element.set}: ${describeKey(element)} is missing`];
  });
}

/** What is missing or different; empty when all is as it should be. */
export function checkAttachment(nf: NetlinkSocket, a: AttachmentRules): string[] {
  const own = distinct(attachmentElements(a));
  const shared = distinct(bridgeElements(a.rules));
  const families = familiesOf([...own, ...shared]);
  const states = tableStates(nf, families);
  const unfit = families.flatMap((family) => checkTable(family, states.get(family)));
  if (unfit.length > 0) return unfit;
  return [
    ...families.flatMap((family) => checkRules(nf, family)),
    ...flushedSets(nf, families).map((set) => `nftables set ${set} has been flushed`),
    ...checkShared(nf, shared),
    ...checkOwn(nf, own),
  ];
}
