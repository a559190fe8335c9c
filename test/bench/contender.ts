/**
 * The two that are compared: the chain of Debian's reference plugins and bridge-nat, each with a private host of its
 * own so that neither's rules are in the other's way. Both give a container an IPv4 address, NAT and one published
 * port.
 */
import { mkdirSync } from 'node:fs';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { openHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { Spawner } from './spawner.ts';
import type { Job, Step } from './spawner.ts';

type Config = Readonly<Record<string, unknown>>;

const bridge = {
  bridge: 'br-bench',
  isGateway: true,
  ipMasq: true,
  hairpinMode: true,
};
const pool = { ranges: [[{ subnet: '10.70.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] };

interface Chain {
  readonly name: string;
  /** The first plugin's executable: what answers VERSION. */
  readonly executable: string;
  readonly plugins: readonly (Config & { readonly type: string })[];
  readonly directory: string;
  /**
   * What the first plugin must be told for its bridge to stay behind the last container: the reference's always does.
   */
  readonly keepBridge: Config;
}

export const chains: readonly Chain[] = [
  {
    name: 'reference',
    executable: `${REFERENCE_PLUGINS}/bridge`,
    directory: REFERENCE_PLUGINS,
    plugins: [
      { type: 'bridge', ...bridge, ipam: { type: 'host-local', ...pool } },
      { type: 'portmap', capabilities: { portMappings: true } },
      { type: 'firewall' },
    ],
    keepBridge: {},
  },
  {
    name: 'netmoor',
    executable: `${OWN_PLUGINS}/bridge-nat`,
    directory: OWN_PLUGINS,
    plugins: [
      {
        type: 'bridge-nat',
        ...bridge,
        ipam: { type: 'netmoor', ...pool },
        capabilities: { portMappings: true },
      },
    ],
    keepBridge: { keepBridge: true },
  },
];

export class Contender {
  readonly chain: Chain;
  readonly host: Host;
  readonly spawner: Spawner;
  /** Whether bridges stay behind their last container. */
  bridgeStays = true;
  #containers = 0;

  private constructor(chain: Chain, host: Host) {
    this.chain = chain;
    this.host = host;
    this.spawner = new Spawner(host);
  }

  /** `stateDirectory` takes what the chain keeps in /var/lib/cni: on a real disk, or durability would cost nothing. */
  static async start(chain: Chain, stateDirectory: string): Promise<Contender> {
    mkdirSync(stateDirectory, { recursive: true });
    const prepare = `mount --bind '${stateDirectory}' /var/lib/cni`;
    return new Contender(chain, await openHost({ prepare }));
  }

  async close(): Promise<void> {
    await this.spawner.close();
    await this.host.close();
  }

  /** Makes the namespaces of `count` further containers; returns their numbers. */
  async containers(count: number): Promise<number[]> {
    const first = this.#containers + 1;
    this.#containers += count;
    const last = this.#containers;
    await this.host.shell(
      `for i in $(seq ${first} ${last}); do ip netns add c$i; ip -n c$i link set lo up; done`,
    );
    return Array.from({ length: count }, (_, i) => first + i);
  }

  async removeContainer(number: number): Promise<void> {
    await this.host.removeContainer(`c${number}`);
  }

  /** ADD of a container through the chain, each plugin given the first one's result, as a runtime does. */
  add(number: number): Job {
    return this.chain.plugins.map((plugin, i) => this.#step('ADD', number, plugin, i > 0));
  }

  /**
   * DEL in reverse order, each plugin given the attachment's result: the reference's firewall finds its rules by it
   * alone.
   */
  del(number: number, result: string): Job {
    return this.chain.plugins.toReversed().map((plugin) => {
      const step = this.#step('DEL', number, plugin, true);
      return { ...step, input: step.input.replace('@PREV@', () => result) };
    });
  }

  version(): Job {
    const environment = { ...plainEnvironment, CNI_COMMAND: 'VERSION' };
    return [{ argv: [this.chain.executable], environment, input: '{"cniVersion":"1.0.0"}' }];
  }

  #step(
    command: string,
    number: number,
    plugin: Config & { readonly type: string },
    withResult: boolean,
  ): Step {
    const { capabilities, ...config } = plugin;
    const portMappings = [{ hostPort: 20_000 + number, containerPort: 80, protocol: 'tcp' }];
    const input = JSON.stringify({
      cniVersion: '1.0.0',
      name: 'bench',
      ...config,
      ...(this.bridgeStays && plugin === this.chain.plugins[0] ? this.chain.keepBridge : {}),
      ...(capabilities === undefined ? {} : { runtimeConfig: { portMappings } }),
    });
    return {
      argv: [`${this.chain.directory}/${plugin.type}`],
      environment: {
        ...plainEnvironment,
        CNI_COMMAND: command,
        CNI_CONTAINERID: `bench-${number}`,
        CNI_NETNS: `/run/netns/c${number}`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: `${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
      },
      input: withResult ? `${input.slice(0, -1)},"prevResult":@PREV@}` : input,
    };
  }
}
