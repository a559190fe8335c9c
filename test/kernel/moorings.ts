/** Calls of our main plugins in few words, for the kernel tests: one network config, containers by name. */
import { OWN_PLUGINS, REFERENCE_PLUGINS } from './harness-cni.ts';
import type { CniAnswer, CniCall, CniCommand, CniJson, Host, Place } from './harness.ts';

export const BRIDGE_NAT = `${OWN_PLUGINS}/bridge-nat`;

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol?: string;
  readonly hostIP?: string;
  readonly range?: number;
}

/** Bits and bits per second. */
export interface Bandwidth {
  readonly ingressRate?: number;
  readonly ingressBurst?: number;
  readonly egressRate?: number;
  readonly egressBurst?: number;
}

export interface Wish {
  readonly ports?: readonly PortMapping[];
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly bandwidth?: Bandwidth;
  readonly args?: string;
  readonly ifname?: string;
}

/** A network in a host; of bridge-nat, unless the config has another `type`. */
export class Network {
  readonly host: Host;
  readonly config: Readonly<Record<string, unknown>>;
  readonly #plugin: string;

  constructor(host: Host, config: Readonly<Record<string, unknown>> = {}) {
    this.host = host;
    this.config = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat', ...config };
    this.#plugin = `${OWN_PLUGINS}/${String(this.config['type'])}`;
  }

  #call(container: string, wish: Wish, extra: object = {}): CniCall {
    const { ports, ips, mac, bandwidth, args, ifname = 'eth0' } = wish;
    const runtimeConfig = {
      ...(ports ? { portMappings: ports } : {}),
      ...(ips ? { ips } : {}),
      ...(mac ? { mac } : {}),
      ...(bandwidth ? { bandwidth } : {}),
    };
    const config = {
      ...this.config,
      ...extra,
      ...(Object.keys(runtimeConfig).length > 0 ? { runtimeConfig } : {}),
    };
    return {
      config,
      containerId: container,
      ifname,
      path: `${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
      ...(args === undefined ? {} : { args }),
    };
  }

  /** Any command for one container, whatever it answers. */
  async run(
    command: CniCommand,
    container: string,
    wish: Wish = {},
    extra: object = {},
    netns = `/run/netns/${container}`,
  ): Promise<CniAnswer> {
    return this.host.cni(this.#plugin, command, {
      ...this.#call(container, wish, extra),
      ...(netns === '' ? {} : { netns }),
    });
  }

  async #must(command: CniCommand, container: string, wish: Wish, extra: object = {}): Promise<CniJson> {
    const answer = await this.run(command, container, wish, extra);
    if (answer.code === 0) return answer.json ?? {};
    throw new Error(`${command} ${container}: ${answer.stdout}${answer.stderr}`);
  }

  async add(container: string, wish: Wish = {}): Promise<CniJson> {
    return this.#must('ADD', container, wish);
  }

  async del(container: string, wish: Wish = {}): Promise<void> {
    await this.#must('DEL', container, wish);
  }

  /** CHECK with the result of ADD: the differences that it names (code 104), or undefined when there are none. */
  async check(container: string, result: CniJson, wish: Wish = {}): Promise<string | undefined> {
    const { code, json, stdout, stderr } = await this.run('CHECK', container, wish, { prevResult: result });
    if (code === 0) return undefined;
    if (json?.code === 104) return json.msg ?? 'no message';
    throw new Error(`CHECK ${container}: ${stdout}${stderr}`);
  }

  /** STATUS and GC, which are of no container. */
  async whole(command: 'STATUS' | 'GC', extra: object = {}): Promise<CniAnswer> {
    return this.host.cni(this.#plugin, command, {
      config: { ...this.config, ...extra },
      path: `${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
    });
  }

  /** Makes the container's namespace and attaches it. */
  async container(
    name: string,
    wish: Wish = {},
  ): Promise<{ place: Place; result: CniJson; ip4: string; ip6: string }> {
    const place = await this.host.container(name);
    const result = await this.add(name, wish);
    return { place, result, ip4: addressOf(result, '.'), ip6: addressOf(result, ':') };
  }
}

/** The first address of a result that is written with this separator. */
function addressOf(result: CniJson, separator: '.' | ':'): string {
  return (
    result.ips
      ?.map(({ address }) => address.split('/')[0] ?? '')
      .find((address) => address.includes(separator)) ?? ''
  );
}

export const DUAL_STACK = {
  ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
} as const;
