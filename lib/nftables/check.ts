/** Whether the kernel holds what an attachment was promised; every difference in words. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { describeData, describeKey } from './describe.ts';
import { bridgeElements } from './bridge-elements.ts';
import { attachmentElements } from './elements.ts';
import type { SetElement } from './element.ts';
import { flushedSets } from './intact.ts';
import { chainsOf } from './layout-rules.ts';
import { TABLE } from './layout.ts';
import { ownedBy, tableName } from './owned.ts';
import { covers, distinct, elementId, elementsOf, presentElements } from './present.ts';
import { list } from './query.ts';
import { familiesOf, unfitTables } from './rebuild.ts';
import type { AttachmentRules } from './rules.ts';
import { tableStates } from './tables.ts';
import type { TableState } from './tables.ts';
import { commentIn } from './userdata.ts';

/** "nftables table inet netmoor" */
function nameOf(family: number): string {
  return tableName(family, TABLE);
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
    return same ? [] : [`${nameOf(family)}: chain ${chain.name} has been changed`];
  });
}

export function checkTable(family: number, state: TableState | undefined): string[] {
  if (state === undefined) return [`${nameOf(family)} is missing`];
  if (state.owner !== undefined) return [`${nameOf(family)} ${ownedBy(state.owner)}`];
  if (!state.current) return [`${nameOf(family)} was made by another version`];
  return state.dormant ? [`${nameOf(family)} is dormant: somebody has switched it off`] : [];
}

/** For each of these owners' elements, what is missing or different. Many keys of a set are asked for at once. */
function checkEach(nf: NetlinkSocket, owners: readonly (readonly SetElement[])[]): string[][] {
  const present = presentElements(nf, owners.flat());
  return owners.map((own) =>
    own.flatMap((element) => {
      const what = `nftables set ${element.set}: ${describeKey(element)}`;
      const there = present.get(elementId(element));
      if (there === undefined) return [`${what} is missing`];
      if (there.comment !== element.comment)
        return [`${what} belongs to ${there.comment || 'an unnamed owner'}`];
      if (element.data && !there.data?.equals(element.data))
        return [`${what} leads to ${describeData(there)}, not ${describeData(element)}`];
      return [];
    }),
  );
}

/** Whether the tables are whole and hold the attachment's own elements, at a cost that does not grow with theirs. */
export function standsWhole(nf: NetlinkSocket, a: AttachmentRules): boolean {
  const own = distinct(attachmentElements(a));
  const needed = familiesOf([...own, ...bridgeElements(a.rules)]);
  return unfitTables(nf, needed).length === 0 && checkOwn(nf, own).length === 0;
}

export function checkOwn(nf: NetlinkSocket, own: readonly SetElement[]): string[] {
  return checkEach(nf, [own]).flat();
}

/** What of the elements that a bridge shares is missing; each set is read once, and each element looked for once. */
function checkShared(nf: NetlinkSocket, all: readonly SetElement[]): (shared: SetElement[]) => string[] {
  const wanted = new Map(all.map((element) => [elementId(element), element]));
  const present = [...new Set(all.map(({ set }) => set))].flatMap((set) => elementsOf(nf, set));
  const ids = new Set(present.map(elementId));
  const missing = new Set(
    [...wanted]
      .filter(([, each]) => !ids.has(elementId(each)) && !present.some((other) => covers(other, each)))
      .map(([id]) => id),
  );
  return (shared) =>
    shared
      .filter((element) => missing.has(elementId(element)))
      .map((element) => `nftables set ${element.set}: ${describeKey(element)} is missing`);
}

/** What is said of a whole table; `unfit`: beyond that nothing need be looked at. */
interface OfTable {
  readonly unfit: boolean;
  readonly words: readonly string[];
}

function checkTables(nf: NetlinkSocket, families: readonly number[]): Map<number, OfTable> {
  const states = tableStates(nf, families);
  return new Map(
    families.map((family): [number, OfTable] => {
      const unfit = checkTable(family, states.get(family));
      if (unfit.length > 0) return [family, { unfit: true, words: unfit }];
      const flushed = flushedSets(nf, [family]).map((set) => `nftables set ${set} has been flushed`);
      return [family, { unfit: false, words: [...checkRules(nf, family), ...flushed] }];
    }),
  );
}

/** For each of these what is missing or different; empty when all is as it should be. */
export function checkAttachments(nf: NetlinkSocket, all: readonly AttachmentRules[]): string[][] {
  const needed = all.map((a) => {
    const own = distinct(attachmentElements(a));
    const shared = distinct(bridgeElements(a.rules));
    return { own, shared, families: familiesOf([...own, ...shared]) };
  });
  const tables = checkTables(nf, [...new Set(needed.flatMap(({ families }) => families))]);
  const fit = needed.filter(({ families }) => families.every((family) => !tables.get(family)?.unfit));
  const missing = checkShared(
    nf,
    fit.flatMap(({ shared }) => shared),
  );
  const words = checkEach(
    nf,
    fit.map((each) => each.own),
  );
  const own = new Map(fit.map((each, index) => [each, words[index] ?? []]));
  return needed.map((each) => {
    const ofTables = each.families.flatMap((family) => tables.get(family) ?? []);
    const unfit = ofTables.filter((table) => table.unfit);
    if (unfit.length > 0) return unfit.flatMap(({ words }) => words);
    return [...ofTables.flatMap((table) => table.words), ...missing(each.shared), ...(own.get(each) ?? [])];
  });
}

/** What is missing or different; empty when all is as it should be. */
export function checkAttachment(nf: NetlinkSocket, a: AttachmentRules): string[] {
  return checkAttachments(nf, [a]).flat();
}
