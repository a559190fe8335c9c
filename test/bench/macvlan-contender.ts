/**
 * Who is compared on a LAN: Debian's reference macvlan and macvlan-v6, each with a private host, LAN, router and peer
 * of its own. With a pool both give a container one address of each family; with SLAAC the LAN's router gives the IPv6
 * one, which the reference leaves to the kernel.
 */
import { mkdirSync } from 'node:fs';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { openHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { Lan, lanWorld } from '../kernel/lan.ts';
import { LAUNCHED } from '../kernel/launcher-bed.ts';
import { crowd } from './crowd.ts';
import type { Crowd } from './crowd.ts';
import { startLaunched, unserved } from './engine.ts';
import type { Who } from './figures.ts';
import { Spawner } from './spawner.ts';
import type { Job } from './spawner.ts';
import { Watcher } from './watcher.ts';
import type { Usable } from './watcher.ts';

type Config = Readonly<Record<string, unknown>>;
export type Addressing = 'pool' | 'slaac';

/** How one contender does it. */
export interface Way {
  readonly who: Who;
  /** The plugins' directory in the host. */
  readonly directory: string;
  /** What has to be there on the machine. */
  readonly executables: readonly string[];
  /** The directory is the launcher's, and an engine runs in the host. */
  readonly engine?: boolean;
  readonly config: Readonly<Record<Addressing, Config>>;
}

/** Not the router's nor the peer's addresses. */
const POOL = {
  ranges: [
    [{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.20', gateway: lanWorld.router4 }],
    [{ subnet: '2001:db8:50::/64', rangeStart: '2001:db8:50::1000', gateway: lanWorld.router6 }],
  ],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const common = { master: lanWorld.master, mode: 'bridge' };

export const referenceWay: Way = {
  who: 'reference',
  directory: REFERENCE_PLUGINS,
  executables: [`${REFERENCE_PLUGINS}/macvlan`],
  config: {
    pool: { type: 'macvlan', ...common, ipam: { type: 'host-local', ...POOL } },
    slaac: { type: 'macvlan', ...common, ipam: {} },
  },
};

const own = { type: 'macvlan-v6', ...common, dad: 'optimistic' };

export const ownWay: Way = {
  who: 'one-shot',
  directory: OWN_PLUGINS,
  executables: [`${OWN_PLUGINS}/macvlan-v6`],
  config: {
    pool: { ...own, addressing: 'pool', ipam: { type: 'netmoor', ...POOL } },
    slaac: { ...own, addressing: 'slaac' },
  },
};

export const engineWay: Way = { ...ownWay, who: 'engine', directory: LAUNCHED, engine: true };

/** Milliseconds of one container's life. */
export interface Life {
  readonly add: number;
  readonly del: number;
  /** From ADD's start. */
  readonly pinged: number;
  readonly final: number;
}

export class LanContender {
  readonly #way: Way;
  readonly #host: Host;
  readonly #spawner: Spawner;
  readonly #watcher: Watcher;
  #containers = 0;
  #requests = 0;

  private constructor(way: Way, host: Host, watcher: Watcher) {
    this.#way = way;
    this.#host = host;
    this.#spawner = new Spawner(host);
    this.#watcher = watcher;
  }

  /** `stateDirectory` takes what is kept in /var/lib/cni: on a real disk, or durability would cost nothing. */
  static async start(way: Way, stateDirectory: string): Promise<LanContender> {
    mkdirSync(stateDirectory, { recursive: true });
    const host = await openHost({ prepare: `mount --bind '${stateDirectory}' /var/lib/cni` });
    try {
      const lan = await Lan.open(host);
      await (await lan.router()).radvd();
      if (way.engine) await startLaunched(host);
      const peer = await lan.station('peer', { addresses: ['192.0.2.9/24', '2001:db8:50::9/64'] });
      return new LanContender(way, host, await Watcher.start(peer));
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  get who(): Who {
    return this.#way.who;
  }

  /** Remarks where an engine was to have done it all, and has not. */
  async unserved(): Promise<string[]> {
    return this.#way.engine ? unserved(this.#host, this.#requests) : [];
  }

  async close(): Promise<void> {
    await this.#host.close();
  }

  /** One container comes, is waited for until its address is final, and goes. */
  async comeAndGo(addressing: Addressing): Promise<Life> {
    const [number = 0] = await this.#prepare(1);
    const add = await this.#spawner.time(this.#job('ADD', number, addressing));
    const { pinged, final } = await this.#watcher.usable(number);
    const del = await this.#spawner.time(this.#job('DEL', number, addressing, add.output));
    await this.#watcher.forget([number]);
    await this.#host.removeContainer(`c${number}`);
    return { add: add.total, del: del.total, pinged: pinged - add.started, final: final - add.started };
  }

  /** Attaches `count` containers at once, which stay; `wall` is until the last can be pinged. */
  async attachMany(addressing: Addressing, count: number): Promise<Crowd> {
    const numbers = await this.#prepare(count);
    const jobs = numbers.map((number) => this.#job('ADD', number, addressing));
    const result = await crowd({ who: this.who, spawner: this.#spawner }, jobs, count);
    const usable: Usable[] = [];
    for (const number of numbers) usable.push(await this.#watcher.usable(number));
    await this.#watcher.forget(numbers);
    const first = Math.min(...result.timings.map(({ started }) => started));
    const last = Math.max(...usable.map(({ pinged }) => pinged));
    return { ...result, wall: result.wall && last - first };
  }

  /** Makes namespaces of further containers, which are watched; returns their numbers. */
  async #prepare(count: number): Promise<number[]> {
    const numbers = Array.from({ length: count }, () => ++this.#containers);
    await this.#host.shell(
      numbers.map((number) => `ip netns add c${number}; ip -n c${number} link set lo up`).join('\n'),
    );
    await this.#watcher.watch(new Map(numbers.map((number) => [number, `/run/netns/c${number}`])));
    return numbers;
  }

  #job(command: string, number: number, addressing: Addressing, result?: string): Job {
    const { directory, config: configs } = this.#way;
    const config = { cniVersion: '1.0.0', name: `bench-${addressing}`, ...configs[addressing] };
    const plugin = String(configs[addressing]['type']);
    const input = JSON.stringify(config);
    this.#requests++;
    return [
      {
        argv: [`${directory}/${plugin}`],
        environment: {
          ...plainEnvironment,
          CNI_COMMAND: command,
          CNI_CONTAINERID: `bench-${number}`,
          CNI_NETNS: `/run/netns/c${number}`,
          CNI_IFNAME: 'eth0',
          CNI_PATH: `${directory}:${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
        },
        input: result === undefined ? input : `${input.slice(0, -1)},"prevResult":${result}}`,
      },
    ];
  }
}
