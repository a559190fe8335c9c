/**
 * The guard within a container's network namespace, at egress of its own interface: everything that is not from its own
 * MAC and IP addresses is dropped there, before macvlan hands copies to siblings, which no hook of the host's sees. It
 * holds against processes that may send raw packets (CAP_NET_RAW), not against those that may change the network of the
 * namespace (CAP_NET_ADMIN): they can delete it. What an AF_XDP socket sends passes by it (__dev_direct_xmit).
 *
 * One container, so the rules say its addresses themselves, and a change replaces the table, in one transaction. Its
 * name is not that of the host's table: the container may be a host to others.
 */
import { NetmoorError, isErrno } from '../../base/errors.ts';
import { parseMac } from '../../base/mac.ts';
import { sha256 } from '../../base/sha256.ts';
import { NLM_F_CREATE } from '../../netlink/socket.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { commit } from '../batch.ts';
import { rule } from '../chain-plan.ts';
import type { ChainPlan, RulePlan } from '../chain-plan.ts';
import { NF_ACCEPT } from '../data.ts';
import type { Expression } from '../expression.ts';
import { equals } from '../match.ts';
import { NFPROTO_NETDEV, decodeMessage, encodeMessage } from '../message.ts';
import type { BatchMessage, EncodedMessage, NftMessage } from '../message.ts';
import { NF_NETDEV_EGRESS } from '../messages/chain.ts';
import { list } from '../query.ts';
import { commentIn } from '../userdata.ts';
import { ANY_TABLE, ruleMessages } from './inside-messages.ts';
import { emptyTable, insideRules, refuseDhcpServer, refuseRouter } from './inside-skeleton.ts';
import { byAddresses } from './ownership.ts';
import type { Own } from './ownership.ts';
import { ACCEPT, RETURN, chainName, ethernetSource, goTo } from './phrases.ts';
import type { MooredPort } from './port.ts';

/** A table for each interface. By a digest of its name, which may have characters that nft does not read back. */
export function insideTable(ifname: string): string {
  return `netmoor_inside_${sha256(ifname).toString('hex', 0, 4)}`;
}

const HOOK = 'egress';
const family = NFPROTO_NETDEV;

/** What this one may send, to stand before what nobody may. */
function ownChains(port: MooredPort): ChainPlan[] {
  const chain = (name: string, rules: readonly RulePlan[]) => ({ name: chainName(HOOK, name), rules });
  const toFrame = goTo(HOOK, 'frame');
  if (!port.spoofCheck)
    return [
      chain('sender', [rule('any MAC address', toFrame)]),
      chain('port', [rule('any address', ACCEPT)]),
    ];
  const { source4, arp, source6, target6 } = byAddresses(port);
  const rules = (own: readonly Own[], verdict: Expression) =>
    own.map(({ comment, match }) => rule(comment, match, verdict));
  const mac = [ethernetSource(1), equals(parseMac(port.mac))];
  return [
    chain('sender', [rule('its own MAC address', mac, toFrame)]),
    chain('port4', rules(source4, ACCEPT)),
    chain('port_arp', rules(arp, ACCEPT)),
    chain('source6', rules(source6, ACCEPT)),
    chain('target6', rules(target6, RETURN)),
  ];
}

function baseChain(ifname: string): NftMessage {
  const hook = { hooknum: NF_NETDEV_EGRESS, priority: 0, device: ifname };
  const body = { table: insideTable(ifname), name: HOOK, type: 'filter', policy: NF_ACCEPT, hook };
  return { name: 'NEWCHAIN', family, flags: NLM_F_CREATE, body };
}

/** The same bytes for another table: its name is as long as the one that they were made with. */
function inTable(messages: readonly EncodedMessage[], table: string): EncodedMessage[] {
  return messages.map((message) => {
    const text = Buffer.from(message.encoded).toString('latin1').replaceAll(ANY_TABLE, table);
    return { ...message, encoded: Buffer.from(text, 'latin1') };
  });
}

function removal(ifname: string): NftMessage {
  return { name: 'DELTABLE', family, body: { name: insideTable(ifname) } };
}

function tableMessages(port: MooredPort): BatchMessage[] {
  const { ifname } = port.owner;
  const table = insideTable(ifname);
  return [
    ...inTable(emptyTable(), table),
    baseChain(ifname),
    ...inTable(insideRules(), table),
    ...(port.allow.routerAdvertisements ? [] : inTable(refuseRouter(), table)),
    ...(port.allow.dhcpServer ? [] : inTable(refuseDhcpServer(), table)),
    ...ruleMessages(table, ownChains(port)),
  ];
}

/**
 * `nf` is of the container's namespace. Also to change what is there, which costs a wait for the kernel to take the old
 * table apart. Throws SystemError.
 */
export function guardInside(nf: NetlinkSocket, port: MooredPort): void {
  const op = 'guard the interface of a container';
  try {
    commit(nf, tableMessages(port), op);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    commit(nf, [removal(port.owner.ifname), ...tableMessages(port)], op);
  }
}

/**
 * Absence is fine, and so is a process of the container that has made the table its own (../owned.ts): it goes with
 * that process, and is no reason for the container to be kept.
 */
export function unguardInside(nf: NetlinkSocket, ifname: string): void {
  try {
    commit(nf, [removal(ifname)], 'remove the guard of a container');
  } catch (error) {
    const owned = error instanceof NetmoorError && error.kind === 'name-taken';
    if (!owned && !isErrno(error, 'ENOENT')) throw error;
  }
}

/** The chain and the comment of each rule that messages make, in whatever order. */
function rulesMadeBy(messages: readonly BatchMessage[]): string[] {
  return messages
    .filter(({ name }) => name === 'NEWRULE')
    .map((message) => {
      const bytes = 'encoded' in message ? Buffer.from(message.encoded) : encodeMessage(message);
      const { chain, userdata } = decodeMessage('NEWRULE', bytes).body;
      return `${chain} ${commentIn(userdata) ?? ''}`;
    })
    .sort();
}

/** What is missing or different; empty when all is as it should be. Rules are known by their comments. */
export function checkInside(nf: NetlinkSocket, port: MooredPort): string[] {
  const op = 'read nftables rules of a container';
  const table = insideTable(port.owner.ifname);
  const said = list(nf, 'RULE', family, { table }, op)
    .map(({ body }) => `${body.chain} ${commentIn(body.userdata) ?? ''}`)
    .sort();
  if (said.length === 0) return [`nftables table netdev ${table} is missing in the container`];
  const made = rulesMadeBy(tableMessages(port));
  const same = said.length === made.length && said.every((each, index) => each === made[index]);
  return same ? [] : [`nftables table netdev ${table} has been changed in the container`];
}
