/** The tables as wholes: which are there, building them with what should be in them, dropping them when nothing is. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { elementMessages } from './element-messages.ts';
import { forget } from './known.ts';
import type { SetElement } from './element.ts';
import { TABLE, layoutComment, setPlan, setsOf } from './layout.ts';
import { beforeRemoval } from './localnet.ts';
import { NFPROTO_BRIDGE, NFPROTO_INET, encodeMessage, messageType } from './message.ts';
import type { BatchMessage, NftMessage } from './message.ts';
import { commitPlanned } from './planned.ts';
import { elementsOf } from './present.ts';
import { readAnswers } from './query.ts';
import { NLM_F_CREATE } from '../netlink/socket.ts';
import { skeleton } from './skeleton.ts';
import { commentIn } from './userdata.ts';

/** linux/netfilter/nf_tables.h, nft_table_flags: its chains are not called. */
const NFT_TABLE_F_DORMANT = 1;

/** Of the tables that attachments to bridges need. */
export const FAMILIES: readonly number[] = [NFPROTO_INET, NFPROTO_BRIDGE];

export interface TableState {
  readonly handle: bigint;
  /** It has this version's layout, and is ours to change. */
  readonly current: boolean;
  /** Another program has it for itself (owned.ts): the number of its netlink socket. */
  readonly owner: number | undefined;
  /** Somebody has switched it off (`nft add table inet netmoor '{ flags dormant; }'`). */
  readonly dormant: boolean;
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
    const { handle = 0n, flags = 0, owner } = body;
    const current = owner === undefined && commentIn(body.userdata) === layoutComment(family);
    states.set(family, { handle, current, owner, dormant: (flags & NFT_TABLE_F_DORMANT) !== 0 });
  }
  return states;
}

/**
 * Builds the tables of `families` with `everything` in them. One that is there is replaced, by handle: the table of a
 * process that was faster is not ours to replace, and the transaction fails.
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
 * Removes the tables that hold nothing, and those of another layout. Absence is fine, and so is another program's own.
 * Elements can be there although our store knows of no attachment: another store may use the same tables.
 */
export function dropTables(nf: NetlinkSocket, families = FAMILIES): void {
  commitPlanned(nf, 'remove the nftables table', () =>
    [...tableStates(nf, families)].flatMap(([family, { handle, current, owner }]): NftMessage[] => {
      if (owner !== undefined) return [];
      const elements = setsOf(family).flatMap((set) => elementsOf(nf, set));
      if (current && elements.length > 0) return [];
      beforeRemoval(elements);
      return [{ name: 'DELTABLE', family, body: { handle } }];
    }),
  );
  forget();
}
