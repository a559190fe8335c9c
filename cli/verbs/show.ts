/** netmoor show: a drawing of who is plugged in where. */
import { hostname } from 'node:os';
import { listAddresses } from '../../lib/netlink/address.ts';
import { listLinks } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { findUplink } from '../../lib/netlink/uplink.ts';
import { seenEgresses } from '../../plugins/bridge-nat/egress/seen.ts';
import { kindsNamed } from '../../plugins/kinds.ts';
import type { KindList } from '../../plugins/kinds.ts';
import type { NetworkRecord } from '../../ipam/record.ts';
import { draw } from '../drawing/tree.ts';
import { nodesOf } from '../drawing/nodes.ts';
import { listAttachments } from '../liveness.ts';
import { named, openStores, readNetworks } from '../stores.ts';
import { buildTopology, narrow } from '../drawing/topology.ts';
import type { HostFacts } from '../drawing/topology.ts';
import type { Verb } from '../verb.ts';

const DEFAULT_COLUMNS = 100;

async function gatherFacts(list: KindList, networks: readonly NetworkRecord[]): Promise<HostFacts> {
  const kinds = await kindsNamed(
    list,
    networks.map(({ plugin }) => plugin),
  );
  const socket = NetlinkSocket.open('route');
  try {
    const links = listLinks(socket);
    return {
      name: hostname(),
      uplink: findUplink(socket),
      links,
      egresses: seenEgresses(socket, links),
      addresses: listAddresses(socket, 0),
      ofMasters: new Set(
        [...kinds.values()].flatMap(({ name, segments }) => (segments === 'master' ? name : [])),
      ),
    };
  } finally {
    socket.close();
  }
}

export const verb: Verb = {
  about:
    'Draws the host with its uplink, the bridges with their addresses, and the containers with theirs ' +
    'and their published ports.',
  operand: '[NETWORK|CONTAINER]',
  options: [{ name: 'ascii', about: 'draw with plain ASCII characters' }],
  async run({ world, dataDir, operands, switches, kinds, note, columns = DEFAULT_COLUMNS }) {
    const stores = openStores(world, dataDir, note);
    const unreadable = named({ dataDir, note });
    const attached = await listAttachments(world, stores, kinds, unreadable);
    const everything = { networks: readNetworks(stores, unreadable), attachments: attached };
    const [word] = operands;
    const { networks, attachments } =
      word === undefined ? everything : narrow(everything.networks, everything.attachments, word);
    const topology = buildTopology(await gatherFacts(kinds, networks), networks, attachments);
    return { json: topology, text: () => draw(nodesOf(topology), { ascii: switches.has('ascii'), columns }) };
  },
};
