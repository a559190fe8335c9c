/** dhcp-ipam as it lives in the engine: the plugin that answers there, and what goes on between requests. */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { errorText } from '../../../lib/base/errors.ts';
import type { AttachedContext, Context, Plugin } from '../../../lib/cni/plugin.ts';
import type { MakeResident, Resident, ResidentHost } from '../../../lib/cni/resident.ts';
import type { CniResult } from '../../../lib/cni/result.ts';
import { collectionError } from '../../../lib/mooring/collect.ts';
import { DHCP_IPAM } from '../../../lib/mooring/ipam-type.ts';
import { keyOf } from '../../../lib/mooring/request.ts';
import type { Alarm, Reactor } from '../../../lib/system/reactor.ts';
import { readDhcpConfig } from '../config.ts';
import { resultOf } from '../leased.ts';
import type { SegmentMembers } from '../tasks/segments.ts';
import { Books } from './books.ts';
import { LinkWatch } from './link-watch.ts';
import { Manager } from './manager.ts';
import { Pace } from './pace.ts';
import { Ports } from './ports.ts';
import { runTask } from './run-task.ts';
import type { Sight } from './segments.ts';

/** Namespaces of processes end without anybody being told. */
const SWEEP_MS = 30_000;
/** A namespace that is deleted is looked for at once, together with others that go at the same moment. */
const GATHER_MS = 100;
/** Between two interruptions of a segment that are heeded. */
const DOUBT_MS = 10_000;

async function add(manager: Manager, context: AttachedContext): Promise<CniResult> {
  const { config, request } = context;
  const read = readDhcpConfig(config, request);
  const leases = await manager.acquire({ key: keyOf(context), config: read, netns: request.netns });
  return resultOf(leases, read.priority);
}

/** Who is gone for certain, and, where the runtime says who is attached, who else is not. */
async function gc(manager: Manager, { config }: Context): Promise<void> {
  await manager.sweep();
  const told = ['cni.dev/valid-attachments', 'cni.dev/attachments'].some((key) => key in config.raw);
  if (!told) return;
  const valid = new Set(config.validAttachments.map(({ containerId, ifname }) => `${containerId}/${ifname}`));
  const failures = await manager.collect(config.name, ({ containerId, ifname }) =>
    valid.has(`${containerId}/${ifname}`),
  );
  const error = collectionError(failures);
  if (error) throw error;
}

/** `begun`: somebody has a lease who had none. */
function pluginOf(manager: Manager, begun: () => void): Plugin {
  return {
    name: DHCP_IPAM,
    about: 'dhcp-ipam in the engine',
    role: 'ipam',
    add: async (context) => {
      const result = await add(manager, context);
      begun();
      return result;
    },
    check: (context) => {
      readDhcpConfig(context.config, context.request);
      manager.check(keyOf(context));
    },
    del: async (context) => manager.release(keyOf(context)),
    gc: async (context) => gc(manager, context),
    status: ({ config, request }) => void readDhcpConfig(config, request),
  };
}

class DhcpResident implements Resident {
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly #host: ResidentHost;
  readonly #reactor: Reactor;
  readonly #ports: Ports;
  readonly #manager: Manager;
  readonly #watched = new Map<string, FSWatcher>();
  readonly #doubts: Pace;
  #links: LinkWatch | undefined;
  #sweep: Alarm | undefined;
  #sweepAt = Number.POSITIVE_INFINITY;

  constructor(host: ResidentHost) {
    this.#host = host;
    this.#reactor = host.reactor;
    this.#ports = new Ports(this.#reactor);
    this.#manager = new Manager({
      host,
      books: new Books(host),
      reactor: this.#reactor,
      ports: this.#ports,
      random: () => host.world.random(4).readUInt32BE(0) / 2 ** 32,
    });
    this.#doubts = new Pace(this.#reactor, DOUBT_MS, (segment) => this.#doubt(segment));
    this.#reactor.onWake(() => this.#manager.doubt(() => true));
    this.plugins = new Map([[DHCP_IPAM, pluginOf(this.#manager, () => this.#begun())]]);
  }

  async start(): Promise<void> {
    this.#links = this.#watchLinks();
    await this.#manager.start();
    this.#begun();
    // Nobody waits for it: those who are gone may be many.
    this.#sweepIn(0);
  }

  async stop(): Promise<void> {
    for (const watcher of this.#watched.values()) watcher.close();
    this.#links?.close();
    this.#doubts.close();
    this.#sweep?.cancel();
    this.#manager.stop();
    this.#ports.close();
  }

  status(): { leases: number; timers: number } {
    return { leases: this.#manager.size, timers: this.#reactor.alarms };
  }

  busy(): boolean {
    return this.#manager.size > 0;
  }

  /** Sooner than planned, never later. */
  #sweepIn(milliseconds: number): void {
    const at = this.#reactor.now() + milliseconds;
    if (at >= this.#sweepAt) return;
    this.#sweep?.cancel();
    this.#sweepAt = at;
    this.#sweep = this.#reactor.at(at, () => void this.#doSweep());
  }

  async #doSweep(): Promise<void> {
    this.#sweepAt = Number.POSITIVE_INFINITY;
    try {
      await this.#manager.sweep();
      this.#watchNamespaces();
    } catch (error) {
      this.#host.log('error', `dhcp: ${errorText(error)}`);
    }
    this.#sweepIn(SWEEP_MS);
  }

  #begun(): void {
    this.#watchNamespaces();
    void this.#links?.look();
  }

  #watchLinks(): LinkWatch {
    return new LinkWatch({
      reactor: this.#reactor,
      names: () => [...new Set(this.#manager.clients.flatMap(({ base }) => base.segment ?? []))],
      look: async (names) => runTask<SegmentMembers>(this.#host, 'segments', names),
      seen: (sight) => this.#seen(sight),
      failed: (error) => this.#host.log('error', `dhcp: ${errorText(error)}`),
    });
  }

  #seen({ back, left }: Sight): void {
    if (left) this.#sweepIn(0);
    for (const segment of back) this.#doubts.ask(segment);
  }

  #doubt(segment: string): void {
    this.#host.log('notice', `dhcp: ${segment} carries again: servers are asked whether leases hold`);
    this.#manager.doubt(({ base }) => base.segment === segment);
  }

  /** Where namespaces have names (/run/netns), their removal is told. */
  #watchNamespaces(): void {
    const paths = this.#manager.clients.map(({ base }) => dirname(base.netns.path));
    const wanted = new Set(paths.filter((path) => !path.startsWith('/proc/')));
    for (const [path, watcher] of this.#watched) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watched.delete(path);
    }
    for (const path of wanted) if (!this.#watched.has(path)) this.#watch(path);
  }

  #watch(path: string): void {
    try {
      const watcher = watch(path, () => this.#sweepIn(GATHER_MS));
      watcher.on('error', () => this.#watched.delete(path));
      this.#watched.set(path, watcher);
    } catch (error) {
      this.#host.log('info', `dhcp: ${path} cannot be watched: ${errorText(error)}`);
    }
  }
}

export const makeDhcpResident: MakeResident = (host) => new DhcpResident(host);
