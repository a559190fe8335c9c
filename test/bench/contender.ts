/** One of those who are compared, with a private host of its own so that nobody's rules are in another's way. */
import { mkdirSync } from 'node:fs';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { openHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import type { Chain, Config, Network } from './chains.ts';
import { startLaunched, unserved } from './engine.ts';
import type { Who } from './figures.ts';
import { Spawner } from './spawner.ts';
import type { Job, Step } from './spawner.ts';

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
  #requests = 0;

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
    const contender = new Contender(chain, await openHost({ prepare: prepare.join('\n') }), ipv6);
    if (chain.engine) await startLaunched(contender.host);
    if (chain.floor) await contender.#makeGround();
    return contender;
  }

  get who(): Who {
    return this.chain.who;
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

  async removeContainers(numbers: readonly number[]): Promise<void> {
    const deadlineMs = 30_000 + 100 * numbers.length;
    await this.host.shell(`for i in ${numbers.join(' ')}; do ip netns delete c$i; done`, { deadlineMs });
  }

  /** Throws unless these containers have, or have not, an interface: nobody is to win by doing nothing. */
  async expectLinks(numbers: readonly number[], there: boolean): Promise<void> {
    const look = `ip -n c$i link show dev eth0 > /dev/null 2>&1 ${there ? '||' : '&&'} echo c$i`;
    const deadlineMs = 30_000 + 100 * numbers.length;
    const wrong = await this.host.shell(`for i in ${numbers.join(' ')}; do ${look}; done; true`, {
      deadlineMs,
    });
    if (wrong !== '')
      throw new Error(
        `${this.who}: ${there ? 'no' : 'still an'} eth0 in ${wrong.trim().replaceAll('\n', ' ')}`,
      );
  }

  /** Remarks where an engine was to have done it all, and has not. */
  async unserved(): Promise<string[]> {
    return this.chain.engine ? unserved(this.host, this.#requests) : [];
  }

  /** ADD of a container through the chain, each plugin given the first one's result, as a runtime does. */
  add(number: number, network: Network = 'full'): Job {
    if (this.chain.floor) return this.#floor('ADD', number);
    return this.#plugins(network).map((plugin, i) => this.#step('ADD', number, plugin, i > 0));
  }

  /** CHECK of each plugin, given the attachment's result; no step where there is nothing to check. */
  check(number: number, result: string, network: Network = 'full'): Job {
    if (this.chain.floor) return [];
    return this.#plugins(network)
      .filter(({ type }) => !this.chain.uncheckable?.includes(type))
      .map((plugin) => withPrevious(this.#step('CHECK', number, plugin, true), result));
  }

  /**
   * DEL in reverse order, each plugin given the attachment's result: the reference's firewall finds its rules by it
   * alone.
   */
  del(number: number, result: string, network: Network = 'full'): Job {
    if (this.chain.floor) return this.#floor('DEL', number);
    return this.#plugins(network)
      .toReversed()
      .map((plugin) => withPrevious(this.#step('DEL', number, plugin, true), result));
  }

  version(): Job {
    const environment = { ...plainEnvironment, CNI_COMMAND: 'VERSION' };
    const argv = [`${this.chain.directory}/${this.chain.main}`];
    return [{ argv, environment, input: '{"cniVersion":"1.0.0"}' }];
  }

  /** netmoor's bridge and tables, by a container that stays. */
  async #makeGround(): Promise<void> {
    const [number = 0] = await this.containers(1);
    await this.spawner.time(this.#plugins('full').map((plugin) => this.#step('ADD', number, plugin, false)));
  }

  #plugins(network: Network): readonly (Config & { readonly type: string })[] {
    return this.chain.plugins[network];
  }

  #floor(command: string, number: number): Job {
    return [{ argv: this.chain.floor?.(command, number) ?? [], environment: plainEnvironment, input: '' }];
  }

  #step(
    command: string,
    number: number,
    plugin: Config & { readonly type: string },
    withResult: boolean,
  ): Step {
    this.#requests++;
    const { capabilities, ...config } = plugin;
    const portMappings = [{ hostPort: hostPortOf(number), containerPort: 80, protocol: 'tcp' }];
    const { directory, keepBridge, main } = this.chain;
    const input = JSON.stringify({
      cniVersion: '1.0.0',
      name: String(config['bridge'] ?? 'br-bench'),
      ...config,
      ...(this.bridgeStays && plugin.type === main ? keepBridge : {}),
      ...(capabilities === undefined ? {} : { runtimeConfig: { portMappings } }),
    });
    return {
      argv: [`${directory}/${plugin.type}`],
      environment: {
        ...plainEnvironment,
        CNI_COMMAND: command,
        CNI_CONTAINERID: `bench-${number}`,
        CNI_NETNS: `/run/netns/c${number}`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: `${directory}:${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
      },
      input: withResult ? `${input.slice(0, -1)},"prevResult":@PREV@}` : input,
    };
  }
}

function withPrevious(step: Step, result: string): Step {
  return { ...step, input: step.input.replace('@PREV@', () => result) };
}
