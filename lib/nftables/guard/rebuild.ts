/**
 * Building the guard's table: where there is none, where it is of another layout, and where somebody has damaged it.
 * Whatever stood for somebody in the old table stands in the new one, in the same transaction.
 */
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { failedWith, tryCommit } from '../batch.ts';
import type { BatchFailure } from '../batch.ts';
import { addressTaken } from '../conflicts.ts';
import type { Lives } from '../conflicts.ts';
import type { SetElement } from '../element.ts';
import { flushedSets, rulesBehind } from '../intact.ts';
import { NFPROTO_NETDEV } from '../message.ts';
import type { BatchMessage } from '../message.ts';
import { distinct, elementId } from '../present.ts';
import { currentGeneration } from '../query.ts';
import { survivors } from '../rebuild.ts';
import { build, tableStates } from '../tables.ts';
import { guardedMasters, masterMessages } from './masters.ts';
import { allOf, portElements } from './port-elements.ts';
import type { PortElements } from './port-elements.ts';
import type { Master, MooredPort } from './port.ts';

const OP = 'create the nftables table that guards masters';

/** What is to be there behind one master. */
export interface Wanted extends PortElements {
  readonly master: Master;
}

/** The messages about rules of base chains; undefined when the table has to be built. */
export function fitTable(nf: NetlinkSocket): Buffer[] | undefined {
  const state = tableStates(nf, [NFPROTO_NETDEV]).get(NFPROTO_NETDEV);
  if (state === undefined || !state.current || state.dormant) return undefined;
  if (flushedSets(nf, [NFPROTO_NETDEV]).length > 0) return undefined;
  return rulesBehind(nf, NFPROTO_NETDEV);
}

function refuseTaken(own: readonly SetElement[], others: readonly SetElement[], lives: Lives): void {
  const held = new Map(others.map((element) => [elementId(element), element.comment]));
  for (const element of own) {
    const holder = held.get(elementId(element));
    if (holder !== undefined && holder !== element.comment && lives(holder))
      throw addressTaken(element, holder);
  }
}

/** Each by its index once, with the name that is known best; without those whose device nobody knows. */
function mastersOf(nf: NetlinkSocket, named: readonly Master[], replaced: boolean): Master[] {
  const names = new Map(replaced ? guardedMasters(nf) : []);
  for (const { name, index } of named.toReversed()) names.set(index, name);
  return [...names].flatMap(([index, name]) => (name === undefined ? [] : [{ index, name }]));
}

/**
 * Commits `body` with the base chains of `master` and of those of the others that still have a device: the kernel tells
 * (ENOENT).
 */
function commitWithChains(
  nf: NetlinkSocket,
  body: readonly BatchMessage[],
  master: Master,
  others: readonly Master[],
  generation: number | undefined,
): BatchFailure[] {
  const groups = [master, ...others].map((each) => ({ each, messages: masterMessages(each) }));
  const failures = tryCommit(nf, [...body, ...groups.flatMap(({ messages }) => messages)], OP, generation);
  let at = body.length;
  const gone = groups.filter(({ messages }) => {
    const from = at;
    at += messages.length;
    const own = failures.filter(({ index }) => index >= from && index < from + messages.length);
    return failedWith(own, 'ENOENT') !== undefined;
  });
  if (gone.length === 0 || gone.some(({ each }) => each === master)) return failures;
  const left = others.filter((other) => !gone.some(({ each }) => each === other));
  return commitWithChains(nf, body, master, left, generation);
}

/**
 * Builds the table with what is wanted, what `everyOther` says that others need, and what there was. A table that is
 * replaced must not have changed since it was read. Throws NetmoorError('address-taken').
 */
export function rebuildGuard(
  nf: NetlinkSocket,
  wanted: Wanted,
  everyOther: () => readonly MooredPort[],
  lives: Lives,
): BatchFailure[] {
  const generation = currentGeneration(nf, OP);
  const ports = everyOther();
  const states = tableStates(nf, [NFPROTO_NETDEV]);
  const replaced = states.size > 0;
  const others = [
    ...ports.flatMap((port) => allOf(portElements(port))),
    ...(replaced ? survivors(nf, [NFPROTO_NETDEV]) : []),
  ];
  refuseTaken(wanted.own, others, lives);
  const named = [wanted.master, ...ports.map(({ master }) => master)];
  const masters = mastersOf(nf, named, replaced).filter(({ index }) => index !== wanted.master.index);
  const body = build([NFPROTO_NETDEV], states, distinct([...allOf(wanted), ...others]));
  return commitWithChains(nf, body, wanted.master, masters, replaced ? generation : undefined);
}
