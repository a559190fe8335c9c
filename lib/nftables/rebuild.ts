/**
 * Building the tables: where there is none, where it is of another layout, and where somebody has damaged it. Whatever
 * stood for somebody in the old table stands in the new one, in the same transaction.
 */
import { NLM_F_CREATE } from '../netlink/socket.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { tryCommit } from './batch.ts';
import type { BatchFailure } from './batch.ts';
import { elementMessages } from './element-messages.ts';
import { bridgeElements } from './bridge-elements.ts';
import { attachmentElements } from './elements.ts';
import type { SetElement } from './element.ts';
import { damaged } from './intact.ts';
import { lengthOf, setPlan, setsOf } from './layout.ts';
import { crosses } from './contended.ts';
import { isExclusive, portTaken } from './port-taken.ts';
import { distinct, elementId, elementsOf } from './present.ts';
import { currentGeneration } from './query.ts';
import type { AttachmentRules } from './rules.ts';
import { FAMILIES, build, tableStates } from './tables.ts';

/** The families of tables that these elements are in. */
export function familiesOf(elements: readonly SetElement[]): number[] {
  return FAMILIES.filter((family) => elements.some(({ set }) => setPlan(set).family === family));
}

const OP = 'create the nftables table';

/**
 * The families whose table is missing though needed, of another layout, switched off, or not what it was made as. One
 * that is there is somebody's, whether or not it is needed here.
 */
export function unfitTables(nf: NetlinkSocket, needed: readonly number[]): number[] {
  const states = tableStates(nf, FAMILIES);
  const families = FAMILIES.filter((family) => needed.includes(family) || states.has(family));
  const fit = families.filter((family) => {
    const state = states.get(family);
    return state?.current === true && !state.dormant;
  });
  const broken = damaged(nf, fit);
  return families.filter((family) => !fit.includes(family) || broken.includes(family));
}

/** Another layout may give a set of the same name other keys. */
function fitsPlan({ set, key, keyEnd, data }: SetElement): boolean {
  const plan = setPlan(set);
  return (
    key.length === lengthOf(plan.key) &&
    (keyEnd !== undefined) === (plan.interval ?? false) &&
    data?.length === (plan.data && lengthOf(plan.data))
  );
}

/** What the tables still hold with somebody's name on it: his records may be in a store that we cannot read. */
export function survivors(nf: NetlinkSocket, families: readonly number[]): SetElement[] {
  return families
    .flatMap(setsOf)
    .flatMap((set) => elementsOf(nf, set))
    .filter((element) => element.comment !== '' && fitsPlan(element));
}

function refuseTakenPorts(wanted: readonly SetElement[], others: readonly SetElement[]): void {
  const held = new Map(others.map((element) => [elementId(element), element.comment]));
  for (const element of wanted) {
    if (!isExclusive(element)) continue;
    const crossing = others.find((other) => other.comment !== element.comment && crosses(element, other));
    const holder = held.get(elementId(element)) ?? crossing?.comment;
    if (holder !== undefined && holder !== element.comment) throw portTaken(element, holder);
  }
}

/**
 * Builds the tables that are not as they should be, with what is wanted, what `everyOther` says that others need, and
 * what there was. A table that is replaced must not have changed since it was read: what another process has added
 * meanwhile would be lost.
 */
export function rebuild(
  nf: NetlinkSocket,
  wanted: readonly SetElement[],
  everyOther: () => readonly AttachmentRules[],
): BatchFailure[] {
  const generation = currentGeneration(nf, OP);
  const others = everyOther().flatMap((other) => [
    ...bridgeElements(other.rules),
    ...attachmentElements(other),
  ]);
  const unfit = unfitTables(nf, familiesOf([...wanted, ...others]));
  const states = tableStates(nf, unfit);
  const all = [...others, ...(states.size > 0 ? survivors(nf, unfit) : [])];
  refuseTakenPorts(wanted, all);
  const fit = wanted.filter(({ set }) => !unfit.includes(setPlan(set).family));
  const messages = [
    ...build(unfit, states, distinct([...wanted, ...all])),
    ...elementMessages('NEWSETELEM', fit, NLM_F_CREATE),
  ];
  return tryCommit(nf, messages, OP, states.size > 0 ? generation : undefined);
}
