/**
 * The two base chains of a master: the places in the kernel where its frames come by. Everything else of the table is
 * the same for all masters.
 *
 * A chain is bound to a device. Kernels before 6.16 remove it with the device; later ones keep it and bind it to the
 * next device of that name, and leave a device that is given another name. So a chain that is there has to be looked
 * at.
 */
import { isErrno } from '../../base/errors.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../../netlink/socket.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { TABLE } from '../layout.ts';
import { verdict } from '../match.ts';
import { NFPROTO_NETDEV, decodeMessage, encodeMessage, messageType } from '../message.ts';
import type { NftMessage } from '../message.ts';
import { NF_NETDEV_EGRESS, NF_NETDEV_INGRESS } from '../messages/chain.ts';
import { NFT_JUMP, NF_ACCEPT } from '../data.ts';
import { list, readAnswers } from '../query.ts';
import { RULE_END } from '../skeleton.ts';
import { commented } from '../userdata.ts';
import type { Hook } from './phrases.ts';
import type { Master } from './port.ts';

const HOOKS: readonly Hook[] = ['ingress', 'egress'];
const NUMBERS = { ingress: NF_NETDEV_INGRESS, egress: NF_NETDEV_EGRESS } as const;
const FILTER = 0;
const family = NFPROTO_NETDEV;

export function baseChainName(hook: Hook, index: number): string {
  return `${hook}_${index}`;
}

const ruleMessage = (hook: Hook, chain: string): NftMessage => ({
  name: 'NEWRULE',
  family,
  flags: NLM_F_CREATE | NLM_F_APPEND,
  body: {
    table: TABLE,
    chain,
    expressions: [verdict(NFT_JUMP, hook)],
    userdata: commented(`frames at ${hook} of a master`),
  },
});

function chainMessages(hook: Hook, { name, index }: Master): NftMessage[] {
  const chain = baseChainName(hook, index);
  const at = { hooknum: NUMBERS[hook], priority: FILTER, device: name };
  const body = { table: TABLE, name: chain, type: 'filter', policy: NF_ACCEPT, hook: at };
  return [{ name: 'NEWCHAIN', family, flags: NLM_F_CREATE | NLM_F_EXCL, body }, ruleMessage(hook, chain)];
}

const removal = (chain: string): NftMessage => ({
  name: 'DELCHAIN',
  family,
  body: { table: TABLE, name: chain },
});

/** Makes the base chains of a master that has none. */
export function masterMessages(master: Master): NftMessage[] {
  return HOOKS.flatMap((hook) => chainMessages(hook, master));
}

/** Of a master's base chains, where they are, the devices they are bound to. */
function boundTo(nf: NetlinkSocket, { index }: Pick<Master, 'index'>): Map<Hook, string | undefined> {
  const op = 'look for the base chains of a master';
  const type = messageType('GETCHAIN');
  const requests = HOOKS.map((hook) => {
    const body = { table: TABLE, name: baseChainName(hook, index) };
    return { type, data: encodeMessage({ name: 'GETCHAIN', family, body }), op };
  });
  const { replies, failures } = nf.exchange(requests);
  const failure = failures.find(({ error }) => !isErrno(error, 'ENOENT'));
  if (failure) throw failure.error;
  const found = new Map<Hook, string | undefined>();
  HOOKS.forEach((hook, at) => {
    for (const { body } of readAnswers('CHAIN', replies[at] ?? [])) found.set(hook, body.hook?.device);
  });
  return found;
}

/** The chains behind the skeleton's that have just the rule they should have, by messages about rules. */
function rightlyFilled(rules: readonly Buffer[]): Set<string> {
  const right = new Set<string>();
  const wrong = new Set<string>();
  for (const data of rules) {
    const { chain = '' } = decodeMessage('NEWRULE', data).body;
    const hook = HOOKS.find((each) => chain.startsWith(`${each}_`));
    const made = hook && encodeMessage(ruleMessage(hook, chain)).subarray(-RULE_END);
    if (right.has(chain) || !made?.equals(data.subarray(-RULE_END))) wrong.add(chain);
    right.add(chain);
  }
  return right.difference(wrong);
}

/** The hooks of a master where frames do not come by the guard; `rules` are those behind the skeleton's. */
function unguarded(nf: NetlinkSocket, master: Master, rules: readonly Buffer[]) {
  const devices = boundTo(nf, master);
  const filled = rightlyFilled(rules);
  return HOOKS.filter(
    (hook) =>
      !devices.has(hook) ||
      devices.get(hook) !== master.name ||
      !filled.has(baseChainName(hook, master.index)),
  ).map((hook) => ({ hook, there: devices.has(hook) }));
}

/** What makes a master's base chains as they should be; nothing when they are. */
export function mending(nf: NetlinkSocket, master: Master, rules: readonly Buffer[]): NftMessage[] {
  return unguarded(nf, master, rules).flatMap(({ hook, there }) => [
    ...(there ? [removal(baseChainName(hook, master.index))] : []),
    ...chainMessages(hook, master),
  ]);
}

/** The hooks of a master where frames do not come by the guard. */
export function openHooks(nf: NetlinkSocket, master: Master, rules: readonly Buffer[]): Hook[] {
  return unguarded(nf, master, rules).map(({ hook }) => hook);
}

/** The masters that have a base chain, by the devices that the chains are bound to. */
export function guardedMasters(nf: NetlinkSocket): Map<number, string | undefined> {
  const masters = new Map<number, string | undefined>();
  for (const { body } of list(nf, 'CHAIN', family, { table: TABLE }, 'read nftables chains')) {
    const index = /^(?:ingress|egress)_(\d+)$/.exec(body.name ?? '')?.[1];
    if (index === undefined || body.table !== TABLE) continue;
    masters.set(Number(index), body.hook?.device ?? masters.get(Number(index)));
  }
  return masters;
}

/** Removes the base chains of a master, of those that are there. */
export function masterRemoval(nf: NetlinkSocket, master: Pick<Master, 'index'>): NftMessage[] {
  return [...boundTo(nf, master).keys()].map((hook) => removal(baseChainName(hook, master.index)));
}
