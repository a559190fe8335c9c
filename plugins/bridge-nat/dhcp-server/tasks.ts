/**
 * What serving has to wait for, as tasks of the engine's threads: which networks there are to serve, what a client is
 * answered, which leases have ended. Arguments and results are JSON.
 */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { formatAddress } from '../../../lib/base/ip.ts';
import type { Json, Task, Tasks } from '../../../lib/cni/resident.ts';
import type { World } from '../../../lib/cni/world.ts';
import { withHost, withSockets } from '../../../lib/mooring/host.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { knownDirectories, openStoreIn } from '../../../lib/mooring/stores.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import { portBehind } from '../../../lib/netlink/fdb.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import { bootNow } from '../../../lib/system/boot-clock.ts';
import { asRequest } from '../../../lib/system/worker.ts';
import type { Answer, Query } from '../../../ipam/dhcp/server/query.ts';
import type { NetworkRecord } from '../../../ipam/record.ts';
import { bridgeNat } from '../kind.ts';
import { answerTo, servingOf } from './answering.ts';
import type { ServedNetwork } from './client.ts';
import { collectEnded, nextEnd, reclaim } from './ending.ts';
import { isServed, leaveAbandoned, portsOf } from './guests.ts';

/** A network to serve, with what its bridge is now. */
export interface Found extends ServedNetwork {
  /** Of its store. */
  readonly dir: string;
  readonly bridge: {
    readonly index: number;
    readonly mac: string;
    /** Its link-local address; absent where the bridge has no IPv6. */
    readonly linkLocal?: string;
  };
}

export interface Looked {
  readonly found: readonly Found[];
  /** Milliseconds since boot: when the next lease ends. */
  readonly nextEnd: number | null;
  readonly notes: readonly string[];
}

interface Which {
  readonly dir: string;
  readonly name: string;
  /** ifindex */
  readonly bridge: number;
  /** Where the question came from, by its frame. */
  readonly mac: string;
}

export interface Asked extends Which {
  readonly query: Query;
}

export interface Reply {
  readonly answer?: Answer;
  /** ifindex of the port to answer through; absent where nobody is to be answered. */
  readonly port?: number;
  /** Milliseconds since boot: when the lease ends. */
  readonly until?: number;
  /** For the log. */
  readonly note?: string;
}

/** In the name of a request of its own, so that what it has in hand is left alone by others. */
async function onHost<T>(dir: string, world: World, work: (host: Host) => T): Promise<T> {
  const notes = { path: [], environment: {}, note: () => {} };
  return asRequest(`dhcp-server-${world.random(8).toString('hex')}`, async (worker) => {
    const own: World = Object.create(world, { worker: { value: worker } });
    return withHost(dir, own, notes, work);
  });
}

function lookAt(host: Host, dir: string, { name, segment, dhcpServer }: NetworkRecord): Found[] {
  const link = segment === undefined ? undefined : findLink(host.route, segment);
  if (segment === undefined || dhcpServer === undefined || link?.kind !== 'bridge' || !link.mac) return [];
  const own = listAddresses(host.route, link.index).find(
    ({ prefix, scope }) => prefix.address.family === 6 && scope !== 0,
  );
  const linkLocal = own && formatAddress(own.prefix.address);
  const bridge = { index: link.index, mac: link.mac, ...(linkLocal ? { linkLocal } : {}) };
  return [{ dir, name, segment, server: dhcpServer, bridge }];
}

/** Networks that say they are to be served, whose bridge is there; of every store that can be read. */
async function look(argument: Json, world: World): Promise<Looked> {
  const { ends } = argument as { ends: boolean };
  const found: Found[] = [];
  const notes: string[] = [];
  let next: number | null = null;
  for (const dir of knownDirectories(world)) {
    try {
      const served = openStoreIn(dir, world)
        .store.read((tx) => tx.networks())
        .filter(({ dhcpServer }) => dhcpServer !== undefined);
      if (served.length === 0) continue;
      await onHost(dir, world, (host) => {
        if (ends) notes.push(...collectEnded(host));
        for (const { name } of served)
          if (leaveAbandoned(host, name)) notes.push(`${name}: nobody is left on it`);
        const end = ends ? nextEnd(host) : undefined;
        if (end !== undefined) next = Math.min(next ?? end, end);
        found.push(...served.flatMap((network) => lookAt(host, dir, network)));
      });
    } catch (error) {
      if (!(error instanceof NetmoorError)) throw error;
      notes.push(`${dir}: ${errorText(error)}`);
    }
  }
  return { found, nextEnd: next, notes };
}

function networkOf({ store }: Host, name: string): ServedNetwork | undefined {
  const { segment, dhcpServer: server } = store.read((tx) => tx.network(name)) ?? {};
  return segment === undefined || server === undefined ? undefined : { name, segment, server };
}

/** The port through which whoever asked is answered; undefined when he is not. */
function portOf(
  { route }: Pick<Host, 'route'>,
  { bridge, mac }: Pick<Which, 'bridge' | 'mac'>,
  named: readonly string[],
): number | undefined {
  const index = portBehind(route, bridge, mac);
  if (index === undefined) return undefined;
  const all = listLinks(route);
  const port = all.find((link) => link.index === index);
  return port !== undefined && port.master === bridge && isServed(port, all, { ports: named })
    ? index
    : undefined;
}

async function answer(argument: Json, world: World): Promise<Reply> {
  const asked = argument as unknown as Asked;
  const { dir, name, query } = asked;
  return onHost(dir, world, (host): Reply => {
    const network = networkOf(host, name);
    const serving = network && servingOf(network);
    if (network === undefined || serving === undefined) return {};
    const port = portOf(host, asked, network.server.ports);
    if (port === undefined) return { note: `${query.mac} asks through a port that is not served` };
    const question = { host, network, serving, query, kind: bridgeNat };
    const first = answerTo({ ...question, now: bootNow() }, bridgeNat);
    const again = first.exhausted === true && reclaim(host, network.segment) > 0;
    const {
      answer: told,
      lease,
      exhausted,
    } = again ? answerTo({ ...question, now: bootNow() }, bridgeNat) : first;
    const until = lease?.detail.client?.until;
    return {
      port,
      ...(told === undefined ? {} : { answer: told }),
      ...(until === undefined ? {} : { until }),
      ...(exhausted ? { note: `no address is left for ${query.mac}` } : {}),
    };
  });
}

/** `bridge`: its ifindex; `ports`: those that are served beside the local ones. */
export interface AskedPorts {
  readonly bridge: number;
  readonly ports: readonly string[];
  readonly mac?: string;
}

/** The ports of a bridge that are served; with `mac`, the one behind which that is, if it is served. */
async function ports(argument: Json): Promise<number[]> {
  const { bridge: index, ports: named, mac } = argument as unknown as AskedPorts;
  return withSockets(({ route }) => {
    const bridge = findLink(route, index);
    if (bridge === undefined) return [];
    if (mac !== undefined) {
      const port = portOf({ route }, { bridge: index, mac }, named);
      return port === undefined ? [] : [port];
    }
    const all = listLinks(route);
    const served = portsOf(route, bridge).filter((port) => isServed(port, all, { ports: named }));
    return served.map((port) => port.index);
  });
}

function task<T>(work: (argument: Json, world: World) => Promise<T>): Task {
  return async (argument, world) => (await work(argument, world)) as unknown as Json;
}

export const dhcpServerTasks: Tasks = {
  'dhcp-server/look': task(look),
  'dhcp-server/answer': task(answer),
  'dhcp-server/ports': task(ports),
};
