/**
 * Who is compared where a LAN's own server gives the addresses: Debian's reference bridge with its dhcp plugin and that
 * one's daemon; bridge-nat with dhcp-ipam, which starts its engine by itself; the same by the launcher. Each has a
 * private host whose bridge is on a LAN of its own, and on that a dnsmasq with the same options.
 */
import { mkdirSync } from 'node:fs';
import { DhcpLan } from '../dhcp/dhcp-lan.ts';
import { dnsmasq } from '../dhcp/dnsmasq.ts';
import { DhcpServer } from '../dhcp/server.ts';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { openHost, until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { LAUNCHED } from '../kernel/launcher-bed.ts';
import { crowd } from './crowd.ts';
import type { Crowd } from './crowd.ts';
import { startLaunched } from './engine.ts';
import type { Who } from './figures.ts';
import { Spawner } from './spawner.ts';
import type { Job } from './spawner.ts';

/** How one contender does it. */
export interface DhcpWay {
  readonly who: Who;
  /** What has to be there. */
  readonly executables: readonly string[];
  readonly config: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly directory: string;
  /** What an administrator has to start beforehand. */
  prepare(host: Host): Promise<void>;
}

const bridge = { bridge: 'br-lan', isGateway: false, ipMasq: false };

export const referenceWay: DhcpWay = {
  who: 'reference',
  executables: [`${REFERENCE_PLUGINS}/bridge`, `${REFERENCE_PLUGINS}/dhcp`],
  config: { type: 'bridge', ...bridge, ipam: { type: 'dhcp' } },
  directory: REFERENCE_PLUGINS,
  prepare: async (host) => {
    await host.shell('mkdir -p /run/cni');
    host.start([`${REFERENCE_PLUGINS}/dhcp`, 'daemon']);
    const listens = async () => (await host.run(['test', '-S', '/run/cni/dhcp.sock'])).code === 0;
    await until(listens, 'the dhcp daemon listens');
  },
};

export const ownWay: DhcpWay = {
  who: 'one-shot',
  executables: [`${OWN_PLUGINS}/bridge-nat`, `${OWN_PLUGINS}/dhcp-ipam`, `${OWN_PLUGINS}/netmoor`],
  config: { type: 'bridge-nat', ...bridge, ipam: { type: 'dhcp-ipam' } },
  directory: OWN_PLUGINS,
  prepare: async () => {},
};

export const engineWay: DhcpWay = { ...ownWay, who: 'engine', directory: LAUNCHED, prepare: startLaunched };

/**
 * A subnet for thousands: dnsmasq keeps the addresses of containers that are gone until their leases end, for it does
 * not hear the reference's RELEASE, which comes from 0.0.0.0.
 */
const SERVING = {
  ...{ subnet: '10.66.0.0/16', first: '10.66.1.0', last: '10.66.40.255', router: '10.66.0.1' },
  dns: ['10.66.0.53'],
  extra: ['dhcp-lease-max=20000'],
};

/** Milliseconds of one container's life. */
export interface Life {
  readonly add: number;
  readonly del: number;
}

export class DhcpContender {
  readonly #way: DhcpWay;
  readonly #host: Host;
  readonly #spawner: Spawner;
  readonly server: DhcpServer;
  #containers = 0;

  private constructor(way: DhcpWay, host: Host, server: DhcpServer) {
    this.#way = way;
    this.#host = host;
    this.#spawner = new Spawner(host);
    this.server = server;
  }

  /** `stateDirectory` takes what is kept in /var/lib/cni: on a real disk, or durability would cost nothing. */
  static async start(way: DhcpWay, stateDirectory: string): Promise<DhcpContender> {
    mkdirSync(stateDirectory, { recursive: true });
    const host = await openHost({ prepare: `mount --bind '${stateDirectory}' /var/lib/cni` });
    try {
      const lan = await DhcpLan.open(host);
      await lan.router.must(['ip', 'address', 'add', '10.66.0.1/16', 'dev', 'eth0']);
      const server = await DhcpServer.start(host, lan.router, dnsmasq(SERVING));
      await lan.bridge(bridge.bridge);
      await way.prepare(host);
      return new DhcpContender(way, host, server);
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  get who(): Who {
    return this.#way.who;
  }

  async close(): Promise<void> {
    await this.#spawner.close();
    await this.#host.close();
  }

  /** One container gets a lease and gives it back. */
  async comeAndGo(): Promise<Life> {
    const [number = 0] = await this.#prepare(1);
    const add = await this.#spawner.time(this.#job('ADD', number));
    this.#leased(add.output);
    const del = await this.#spawner.time(this.#job('DEL', number, add.output));
    await this.#host.removeContainer(`c${number}`);
    return { add: add.total, del: del.total };
  }

  /** Attaches `count` containers at once, which stay; until the last has its lease. */
  async attachMany(count: number): Promise<Crowd> {
    const numbers = await this.#prepare(count);
    const jobs = numbers.map((number) => this.#job('ADD', number));
    const result = await crowd({ who: this.who, spawner: this.#spawner }, jobs, count);
    for (const { output } of result.timings) this.#leased(output);
    return result;
  }

  /** What was measured has to be a lease of this server's. */
  #leased(output: string): void {
    const { ips = [] } = JSON.parse(output) as { ips?: readonly { readonly address: string }[] };
    const address = ips[0]?.address.split('/')[0] ?? '';
    if (!this.server.leases().some((lease) => lease.address === address))
      throw new Error(`${this.who}: the server knows no lease of ${output}`);
  }

  /** Makes namespaces of further containers; returns their numbers. */
  async #prepare(count: number): Promise<number[]> {
    const numbers = Array.from({ length: count }, () => ++this.#containers);
    const lines = numbers.map((number) => `ip netns add c${number}; ip -n c${number} link set lo up`);
    await this.#host.shell(lines.join('\n'));
    return numbers;
  }

  #job(command: string, number: number, result?: string): Job {
    const input = JSON.stringify({ cniVersion: '1.0.0', name: 'bench', ...this.#way.config });
    return [
      {
        argv: [`${this.#way.directory}/${this.#way.config.type}`],
        environment: {
          ...plainEnvironment,
          CNI_COMMAND: command,
          CNI_CONTAINERID: `bench-${number}`,
          CNI_NETNS: `/run/netns/c${number}`,
          CNI_IFNAME: 'eth0',
          CNI_PATH: this.#way.directory,
        },
        input: result === undefined ? input : `${input.slice(0, -1)},"prevResult":${result}}`,
      },
    ];
  }
}
