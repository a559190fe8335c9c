/**
 * Tables that another program has for itself (linux/netfilter/nf_tables.h NFT_TABLE_F_OWNER, "flags owner" in nft's
 * language; firewalld's since 2.1): the kernel refuses every change to them by any other netlink socket with EPERM,
 * whatever the privileges (net/netfilter/nf_tables_api.c nft_table_lookup). They can be read.
 */
import { NetmoorError } from '../base/errors.ts';
import type { SystemError } from '../base/errors.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import {
  NFPROTO_BRIDGE,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_NETDEV,
  decodeMessage,
  encodeMessage,
} from './message.ts';
import type { BatchMessage } from './message.ts';
import type { Table } from './messages/table.ts';
import { list } from './query.ts';

const FAMILY_NAMES: ReadonlyMap<number, string> = new Map([
  [NFPROTO_INET, 'inet'],
  [NFPROTO_IPV4, 'ip'],
  [NFPROTO_NETDEV, 'netdev'],
  [NFPROTO_BRIDGE, 'bridge'],
  [NFPROTO_IPV6, 'ip6'],
]);

/** "nftables table inet netmoor" */
export function tableName(family: number, name: string): string {
  return `nftables table ${FAMILY_NAMES.get(family) ?? family} ${name}`;
}

/**
 * "belongs to …", for a table with that owner. The kernel gives a program's first socket the number of its process for
 * a port; nft goes by that as well.
 */
export function ownedBy(port: number): string {
  return `belongs to another program (flags owner; netlink port ${port}, as a rule the number of its process)`;
}

/** The table that a message wants to change, by name or by handle. */
function tableOf(message: BatchMessage): { family: number; name?: string; handle?: bigint } {
  const bytes = 'encoded' in message ? Buffer.from(message.encoded) : encodeMessage(message);
  const { family, body } = decodeMessage(message.name, bytes);
  if ('table' in body) return { family, name: body.table };
  const { name, handle } = body as Table;
  return { family, ...(name !== undefined && { name }), ...(handle !== undefined && { handle }) };
}

/**
 * Throws NetmoorError('name-taken') when that is why the kernel would refuse the message, or has refused it (EPERM);
 * otherwise the privileges are missing indeed.
 */
export function refuseOwned(nf: NetlinkSocket, message: BatchMessage, refusal?: SystemError): void {
  const { family, name, handle } = tableOf(message);
  const tables = list(nf, 'TABLE', family, {}, 'look for the nftables table').map(({ body }) => body);
  const table = tables.find((each) => (name === undefined ? each.handle === handle : each.name === name));
  if (table?.owner === undefined) return;
  throw new NetmoorError(
    'name-taken',
    `${tableName(family, table.name ?? '')} ${ownedBy(table.owner)}`,
    'have that program give the table up, or end it, which takes its table along, and try again; for firewalld, ' +
      'set NftablesTableOwner=no in /etc/firewalld/firewalld.conf and restart it',
    { cause: refusal },
  );
}
