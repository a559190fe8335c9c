/** The tables as wholes: which are there, building them with what should be in them, dropping them when nothing is. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { failedWith, tryCommit } from './batch.ts';
import { elementMessages } from './element-messages.ts';
import type { SetElement } from './elements.ts';
import { LAYOUT_COMMENT, SETS, SET_NAMES, TABLE, setPlan } from './layout.ts';
import { NFPROTO_BRIDGE, NFPROTO_INET, encodeMessage, messageType } from './message.ts';
import type { BatchMessage, NftMessage } from './message.ts';
import { readAnswers } from './query.ts';
import { NLM_F_CREATE } from '../netlink/socket.ts';
import { skeleton } from './skeleton.ts';
import { commentIn } from './userdata.ts';

/** linux/netlink.h: do not delete what has something in it. */
const NLM_F_NONREC = 0x100;

export const FAMILIES: readonly number[] = [NFPROTO_INET, NFPROTO_BRIDGE];

export interface TableState {
  readonly handle: bigint;
  /** It has this version's layout. */
  readonly current: boolean;
}

/** The table of each family, where there is one. */
export function tableStates(nf: NetlinkSocket, families: readonly number[]): Map<number, TableState> {
  const type = messageType('GETTABLE');
  const op = 'look for the nftables table';
  const requests = families.map((family) => ({
    type,
    data: encodeMessage({ name: 'GETTABLE', family, body: { name: TABLE } }),
    op,
  }));
  const { replies, failures } = nf.exchange(requests);
  const failure = failures.find(({ error }) => error.code !== 'ENOENT');
  if (failure) throw failure.error;
  const states = new Map<number, TableState>();
  for (const { family, body } of replies.flatMap((messages) => readAnswers('TABLE', messages))) {
    states.set(family, { handle: body.handle ?? 0n, current: commentIn(body.userdata) === LAYOUT_COMMENT });
  }
  return states;
}

/**
 * Builds the tables of `families` with `everything` in them. One that is there is replaced, by handle: the table of a process
 * that was faster is not ours to replace, and the transaction fails.
 */
export function build(
  families: readonly number[],
  states: ReadonlyMap<number, TableState>,
  everything: readonly SetElement[],
): BatchMessage[] {
  return families.flatMap((family): BatchMessage[] => {
    const state = states.get(family);
    const inFamily = everything.filter(({ set }) => setPlan(set).family === family);
    return [
      ...(state ? [{ name: 'DELTABLE', family, body: { handle: state.handle } } as const] : []),
      ...skeleton(family),
      ...elementMessages('NEWSETELEM', inFamily, NLM_F_CREATE),
    ];
  });
}

/**
 * Deletes the rules, then each set unless it has elements, then the table; all or nothing. Elements can be there although
 * our store knows of no attachment: another store may use the same tables.
 */
function dropEmpty(family: number): NftMessage[] {
  const sets = SET_NAMES.filter((name) => SETS[name].family === family);
  return [
    { name: 'DELRULE', family, body: { table: TABLE } },
    ...sets.map(
      (name): NftMessage => ({ name: 'DELSET', family, flags: NLM_F_NONREC, body: { table: TABLE, name } }),
    ),
    { name: 'DELTABLE', family, body: { name: TABLE } },
  ];
}

/** Removes the tables that hold nothing, and those of another layout. Absence is fine. */
export function dropTables(nf: NetlinkSocket): void {
  const op = 'remove the nftables table';
  for (const [family, { handle, current }] of tableStates(nf, FAMILIES)) {
    const failures = tryCommit(
      nf,
      current ? dropEmpty(family) : [{ name: 'DELTABLE', family, body: { handle } }],
      op,
    );
    if (failures.length > 0 && !failedWith(failures, 'EBUSY', 'ENOENT')) throw failures[0]?.error;
  }
}
