/**
 * What serving has to wait for, as tasks of the engine's threads: which networks there are to serve, what a client is
 * answered, which leases have ended. Arguments and results are JSON.
 */
import type { Json, Task, Tasks } from '../../../lib/cni/resident.ts';
import type { World } from '../../../lib/cni/world.ts';
import { withSockets } from '../../../lib/mooring/host.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { portBehind } from '../../../lib/netlink/fdb.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import { bootNow } from '../../../lib/system/boot-clock.ts';
import type { Answer, Query } from '../../../ipam/dhcp/server/query.ts';
import { bridgeNat } from '../kind.ts';
import { answerTo, servingOf } from './answering.ts';
import type { ServedNetwork } from './client.ts';
import { reclaim } from './ending.ts';
import { isServed, portsOf } from './guests.ts';
import { countLeases, look } from './looking.ts';
import { onHost } from './on-host.ts';

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

function networkOf({ store }: Host, name: string): ServedNetwork | undefined {
  const { segment, dhcpServer: server } = store.read((tx) => tx.network(name)) ?? {};
  return segment === undefined || server === undefined ? undefined : { name, segment, server };
}

interface Behind {
  readonly port: number;
  /** All of the bridge, ifindexes. */
  readonly ports: readonly number[];
}

/** The port through which whoever asked is answered; undefined when he is not. */
function portOf(
  { route }: Pick<Host, 'route'>,
  { bridge, mac }: Pick<Which, 'bridge' | 'mac'>,
  named: readonly string[],
): Behind | undefined {
  const index = portBehind(route, bridge, mac);
  if (index === undefined) return undefined;
  const all = listLinks(route);
  const ports = all.filter(({ master }) => master === bridge);
  const port = ports.find((link) => link.index === index);
  if (port === undefined || !isServed(port, all, { ports: named })) return undefined;
  return { port: index, ports: ports.map((each) => each.index) };
}

/**
 * Whoever gives his lease back and goes may have gone when that is read: it counts where the lease was held behind a
 * port that is there no more (see whose.ts). Nobody is answered.
 */
function leaving({ route }: Pick<Host, 'route'>, { bridge }: Pick<Which, 'bridge'>): Behind {
  const ports = listLinks(route).filter(({ master }) => master === bridge);
  return { port: 0, ports: ports.map(({ index }) => index) };
}

async function answer(argument: Json, world: World): Promise<Reply> {
  const asked = argument as unknown as Asked;
  const { dir, name, query } = asked;
  return onHost(dir, world, (host): Reply => {
    const network = networkOf(host, name);
    const serving = network && servingOf(network);
    if (network === undefined || serving === undefined) return {};
    const behind =
      portOf(host, asked, network.server.ports) ??
      (query.is === 'release' ? leaving(host, asked) : undefined);
    if (behind === undefined) return { note: `${query.mac} asks through a port that is not served` };
    const question = { host, network, serving, query, ...behind, kind: bridgeNat };
    const first = answerTo({ ...question, now: bootNow() }, bridgeNat);
    const again = first.exhausted === true && reclaim(host, network.segment) > 0;
    const {
      answer: told,
      lease,
      exhausted,
    } = again ? answerTo({ ...question, now: bootNow() }, bridgeNat) : first;
    const until = lease?.detail.client?.until;
    return {
      port: behind.port,
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
      const behind = portOf({ route }, { bridge: index, mac }, named);
      return behind === undefined ? [] : [behind.port];
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
  'dhcp-server/look': task(async (argument, world) => look((argument as { ends: boolean }).ends, world)),
  'dhcp-server/answer': task(answer),
  'dhcp-server/ports': task(ports),
  'dhcp-server/count': async (_nothing, world) => countLeases(world),
};
