/**
 * The guard within a container's network namespace, at egress of its own interface: everything that is not from its own
 * MAC and IP addresses is dropped there, before macvlan hands copies to siblings, which no hook of the host's sees. It
 * holds against processes that may send raw packets (CAP_NET_RAW), not against those that may change the network of the
 * namespace (CAP_NET_ADMIN): they can delete it. What an AF_XDP socket sends passes by it (__dev_direct_xmit).
 *
 * One container, so the rules say its addresses themselves, and a change replaces the table, in one transaction. Its
 * name is not that of the host's table: the container may be a host to others.
 */
import { isErrno } from '../../base/errors.ts';
import { parseMac } from '../../base/mac.ts';
import { sha256 } from '../../base/sha256.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../../netlink/socket.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import { commit } from '../batch.ts';
import { rule } from '../chain-plan.ts';
import type { ChainPlan } from '../chain-plan.ts';
import { NF_ACCEPT } from '../data.ts';
import { NFPROTO_NETDEV } from '../message.ts';
import type { NftMessage } from '../message.ts';
import { equals } from '../match.ts';
import { NF_NETDEV_EGRESS } from '../messages/chain.ts';
import { list } from '../query.ts';
import { commentIn, commented } from '../userdata.ts';
import { lie, roles } from './chains.ts';
import { byAddresses } from './ownership.ts';
import { ACCEPT, DROP, chainName, ethernetSource, goTo } from './phrases.ts';
import { portChains } from './port-chains.ts';
import type { MooredPort } from './port.ts';
import { roleChains } from './roles.ts';

/** A table for each interface. By a digest of its name, which may have characters that nft does not read back. */
export function insideTable(ifname: string): string {
  return `netmoor_inside_${sha256(ifname).toString('hex', 0, 4)}`;
}

const HOOK = 'egress';
const family = NFPROTO_NETDEV;

function chains(port: MooredPort): ChainPlan[] {
  const { allow, mac, spoofCheck } = port;
  return [
    ...roleChains(HOOK, {
      ...(!allow.routerAdvertisements && { router: DROP }),
      ...(!allow.dhcpServer && { dhcpServer: DROP }),
    }),
    ...(spoofCheck ? portChains(HOOK, byAddresses(port)) : []),
    {
      name: chainName(HOOK, 'frame'),
      rules: [...roles(HOOK), rule('the rest', spoofCheck ? goTo(HOOK, 'port') : ACCEPT)],
    },
    {
      name: HOOK,
      rules: [
        lie(6),
        lie(4),
        lie('arp'),
        spoofCheck
          ? rule('its own MAC address', ethernetSource(1), equals(parseMac(mac)), goTo(HOOK, 'frame'))
          : rule('any MAC address', goTo(HOOK, 'frame')),
        rule('MAC addresses of others', DROP),
      ],
    },
  ];
}

function tableMessages(port: MooredPort, replace: boolean): NftMessage[] {
  const { ifname } = port.owner;
  const plans = chains(port);
  const name = insideTable(ifname);
  const table = { name };
  const hook = { hooknum: NF_NETDEV_EGRESS, priority: 0, device: ifname };
  const base = { type: 'filter', policy: NF_ACCEPT, hook };
  return [
    ...(replace ? [{ name: 'DELTABLE', family, body: table } as const] : []),
    { name: 'NEWTABLE', family, flags: NLM_F_CREATE | NLM_F_EXCL, body: { ...table, flags: 0 } },
    ...plans.map((plan): NftMessage => {
      const body = { table: name, name: plan.name, ...(plan.name === HOOK && base) };
      return { name: 'NEWCHAIN', family, flags: NLM_F_CREATE, body };
    }),
    ...plans.flatMap(({ name: chain, rules }) =>
      rules.map(({ comment, expressions }): NftMessage => {
        const body = { table: name, chain, expressions, userdata: commented(comment) };
        return { name: 'NEWRULE', family, flags: NLM_F_CREATE | NLM_F_APPEND, body };
      }),
    ),
  ];
}

/**
 * `nf` is of the container's namespace. Also to change what is there, which costs a wait for the kernel to take the old
 * table apart. Throws SystemError.
 */
export function guardInside(nf: NetlinkSocket, port: MooredPort): void {
  const op = 'guard the interface of a container';
  try {
    commit(nf, tableMessages(port, false), op);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    commit(nf, tableMessages(port, true), op);
  }
}

/** Absence is fine. */
export function unguardInside(nf: NetlinkSocket, ifname: string): void {
  try {
    const message: NftMessage = { name: 'DELTABLE', family, body: { name: insideTable(ifname) } };
    commit(nf, [message], 'remove the guard of a container');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** What is missing or different; empty when all is as it should be. Rules are known by their comments. */
export function checkInside(nf: NetlinkSocket, port: MooredPort): string[] {
  const op = 'read nftables rules of a container';
  const table = insideTable(port.owner.ifname);
  const said = list(nf, 'RULE', family, { table }, op).map(
    ({ body }) => `${body.chain} ${commentIn(body.userdata) ?? ''}`,
  );
  const made = chains(port).flatMap(({ name, rules }) => rules.map(({ comment }) => `${name} ${comment}`));
  if (said.length === 0) return [`nftables table netdev ${table} is missing in the container`];
  const same = said.length === made.length && said.every((each, index) => each === made[index]);
  return same ? [] : [`nftables table netdev ${table} has been changed in the container`];
}
