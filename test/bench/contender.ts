/**
 * Who is compared: the chain of Debian's reference plugins and bridge-nat, and where a directory of newer reference
 * plugins is given that chain with its nftables backends; each with a private host of its own so that nobody's rules
 * are in another's way. All give a container an IPv4 address, NAT and one published port.
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

export interface Chain {
  readonly name: string;
  /** The first plugin's executable: what answers VERSION. */
  readonly executable: string;
  readonly plugins: readonly (Config & { readonly type: string })[];
  readonly directory: string;
  /**
   * What the first plugin must be told for its bridge to stay behind the last container: the reference's always does.
   */
  readonly keepBridge: Config;
  /** Types of plugins whose CHECK cannot succeed here. */
  readonly uncheckable?: readonly string[];
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
    // Before 1.4 it asks ip6tables, too, about a container that has no IPv6 (plugins/meta/portmap/portmap.go).
    uncheckable: ['portmap'],
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

/**
 * The reference's newest release; `directory` is that of its plugins. Its firewall plugin knows no backend but iptables
 * and firewalld (1.9).
 */
export function newestChain(directory: string): Chain {
  return {
    name: 'newest',
    executable: `${directory}/bridge`,
    directory,
    plugins: [
      { type: 'bridge', ...bridge, ipMasqBackend: 'nftables', ipam: { type: 'host-local', ...pool } },
      { type: 'portmap', backend: 'nftables', capabilities: { portMappings: true } },
      { type: 'firewall' },
    ],
    keepBridge: {},
  };
}

/** The port of the host that is the container's port 80. */
export function hostPortOf(number: number): number {
  return 20_000 + number;
}

/**
 * The kernel's table of IPv6 neighbours is the machine's, not the namespace's: a thousand namespaces that greet each
 * other's routers fill it (net/core/neighbour.c, gc_thresh3), and nobody on the machine finds a neighbour any more.
 */
const WITHOUT_IPV6 =
  'for which in all default; do echo 1 > /proc/sys/net/ipv6/conf/$which/disable_ipv6; done';

export interface ContenderOptions {
  /** Whether containers, and what the host makes for them, have IPv6; true by default. */
  readonly ipv6?: boolean;
}

export class Contender {
  readonly chain: Chain;
  readonly host: Host;
  readonly spawner: Spawner;
  /** Whether bridges stay behind their last container. */
  bridgeStays = true;
  readonly #ipv6: boolean;
  #containers = 0;

  private constructor(chain: Chain, host: Host, ipv6: boolean) {
    this.chain = chain;
    this.host = host;
    this.#ipv6 = ipv6;
    this.spawner = new Spawner(host);
  }

  /** `stateDirectory` takes what the chain keeps in /var/lib/cni: on a real disk, or durability would cost nothing. */
  static async start(
    chain: Chain,
    stateDirectory: string,
    { ipv6 = true }: ContenderOptions = {},
  ): Promise<Contender> {
    mkdirSync(stateDirectory, { recursive: true });
    const prepare = [`mount --bind '${stateDirectory}' /var/lib/cni`, ...(ipv6 ? [] : [WITHOUT_IPV6])];
    return new Contender(chain, await openHost({ prepare: prepare.join('\n') }), ipv6);
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
    const without = this.#ipv6 ? '' : `nsenter --net=/run/netns/c$i sh -c '${WITHOUT_IPV6}'; `;
    await this.host.shell(
      `for i in $(seq ${first} ${last}); do ip netns add c$i; ${without}ip -n c$i link set lo up; done`,
      { deadlineMs: 30_000 + 100 * count },
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

  /** CHECK of each plugin, given the attachment's result. */
  check(number: number, result: string): Job {
    const { plugins, uncheckable = [] } = this.chain;
    return plugins
      .filter(({ type }) => !uncheckable.includes(type))
      .map((plugin) => withPrevious(this.#step('CHECK', number, plugin, true), result));
  }

  /**
   * DEL in reverse order, each plugin given the attachment's result: the reference's firewall finds its rules by it
   * alone.
   */
  del(number: number, result: string): Job {
    return this.chain.plugins
      .toReversed()
      .map((plugin) => withPrevious(this.#step('DEL', number, plugin, true), result));
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
    const portMappings = [{ hostPort: hostPortOf(number), containerPort: 80, protocol: 'tcp' }];
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
        CNI_PATH: `${this.chain.directory}:${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
      },
      input: withResult ? `${input.slice(0, -1)},"prevResult":@PREV@}` : input,
    };
  }
}

function withPrevious(step: Step, result: string): Step {
  return { ...step, input: step.input.replace('@PREV@', () => result) };
}
