/**
 * Containers whose main plugin asks dhcp-ipam, on a LAN with servers.
 *
 *   await withEngine(t, async (bed) => {
 *     const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
 *     const network = await bed.network('bridge-nat', { ip: 4 });
 *     const boat = await network.moor('boat');
 *     …
 *   });
 */
import type t from 'tap';
import { NETMOOR, askStatus, startEngine } from '../kernel/engine-bed.ts';
import type { Background } from '../kernel/harness-process.ts';
import { until } from '../kernel/harness.ts';
import type { CniAnswer, CniCommand, CniJson, Host, Place, Reporter } from '../kernel/harness.ts';
import { withDhcpLan } from './dhcp-lan.ts';
import type { DhcpLan } from './dhcp-lan.ts';
import type { DhcpServer, ServerLease } from './server.ts';

/** bridge-nat, and the reference's two: they stand on the bridge br-lan, or on lan0. */
export type Main = 'bridge-nat' | 'bridge' | 'macvlan';

const MAINS: Readonly<Record<Main, object>> = {
  'bridge-nat': { bridge: 'br-lan', isGateway: false, ipMasq: false },
  bridge: { bridge: 'br-lan', isGateway: false, ipMasq: false },
  macvlan: { master: 'lan0', mode: 'bridge' },
};

export interface CallOptions {
  readonly args?: string;
  /** Of the configuration. */
  readonly extra?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** Another namespace than /run/netns/CONTAINER; "" for none. */
  readonly netns?: string;
}

export interface Moored {
  readonly name: string;
  readonly place: Place;
  readonly result: CniJson;
  /** Without its length. */
  readonly ip4: string;
  readonly mac: string;
}

export class LeasedNetwork {
  readonly host: Host;
  readonly config: Readonly<Record<string, unknown>> & { readonly type: Main };

  constructor(host: Host, main: Main, ipam: object, more: object = {}) {
    this.host = host;
    this.config = {
      ...{ cniVersion: '1.0.0', name: `lan-${main}`, type: main },
      ...MAINS[main],
      ipam: { type: 'dhcp-ipam', ...ipam },
      ...more,
    };
  }

  /** Any command, whatever it answers. */
  async run(command: CniCommand, container: string, options: CallOptions = {}): Promise<CniAnswer> {
    const { args, extra = {}, env, netns = `/run/netns/${container}` } = options;
    return this.host.cni(this.config.type, command, {
      config: { ...this.config, ...extra },
      containerId: container,
      ifname: 'eth0',
      deadlineMs: 60_000,
      ...(netns === '' ? {} : { netns }),
      ...(args === undefined ? {} : { args }),
      ...(env === undefined ? {} : { env }),
    });
  }

  async must(command: CniCommand, container: string, options: CallOptions = {}): Promise<CniJson> {
    const { code, stdout, stderr, json } = await this.run(command, container, options);
    if (code === 0) return json ?? {};
    throw new Error(`${command} ${container}: exit ${code}\n${stdout}${stderr}`);
  }

  /** ADD in a namespace that is there. */
  async add(place: Place, options: CallOptions = {}): Promise<Moored> {
    const { name, netnsPath: netns } = place;
    const result = await this.must('ADD', name, { netns, ...options });
    const address = result.ips?.find((ip) => ip.address.includes('.'))?.address ?? '';
    const [link] = await place.ip('link', 'show', 'dev', 'eth0');
    return { name, place, result, ip4: address.split('/')[0] ?? '', mac: link?.address ?? '' };
  }

  /** A container of its own. */
  async moor(name: string, options: CallOptions = {}): Promise<Moored> {
    return this.add(await this.host.container(name), options);
  }

  async check({ name, result }: Moored): Promise<CniAnswer> {
    return this.run('CHECK', name, { extra: { prevResult: result } });
  }

  async del(name: string, options: CallOptions = {}): Promise<void> {
    await this.must('DEL', name, options);
  }
}

/** An engine, its log, and its end. */
export class Engine {
  readonly host: Host;
  #process: Background;

  private constructor(host: Host, process: Background) {
    this.host = host;
    this.#process = process;
  }

  static async start(host: Host): Promise<Engine> {
    return new Engine(host, await startEngine(host));
  }

  get log(): string {
    return this.#process.errors;
  }

  async says(what: RegExp, deadlineMs = 15_000): Promise<void> {
    await this.#process.until(() => what.test(this.log), `line ${String(what)} of the engine`, deadlineMs);
  }

  /** kill -9 */
  async crash(): Promise<void> {
    const { pid = 0 } = await askStatus(this.host);
    await this.host.must(['kill', '-KILL', String(pid)]);
    await this.#process.end();
  }

  async stop(): Promise<void> {
    await this.host.must([NETMOOR, 'engine', 'stop']);
    await this.#process.end();
  }

  async restart(): Promise<void> {
    this.#process = await startEngine(this.host);
  }
}

export class Bed {
  readonly lan: DhcpLan;
  readonly engine: Engine;
  #bridge: Promise<string> | undefined;

  constructor(lan: DhcpLan, engine: Engine) {
    this.lan = lan;
    this.engine = engine;
  }

  get host(): Host {
    return this.lan.host;
  }

  /** One of macvlan must not be asked for beside one with a bridge: both stand on lan0. */
  async network(main: Main, ipam: object = {}, more: object = {}): Promise<LeasedNetwork> {
    if (main !== 'macvlan') this.#bridge ??= this.lan.bridge();
    await this.#bridge;
    return new LeasedNetwork(this.host, main, ipam, more);
  }
}

/** A LAN with an engine in the foreground; its log is told on failure. */
export async function withEngine(reporter: Reporter, body: (bed: Bed) => Promise<void>): Promise<void> {
  await withDhcpLan(reporter, async (lan) => {
    const engine = await Engine.start(lan.host);
    try {
      await body(new Bed(lan, engine));
    } catch (error) {
      reporter.comment(`the engine's log:\n${engine.log}`);
      throw error;
    }
  });
}

export function activeLease(server: DhcpServer, address: string): ServerLease | undefined {
  return server.leases().find((lease) => lease.address === address && lease.state === 'active');
}

/** Resolves when the lease file has no active lease of the address. */
export async function givenBack(server: DhcpServer, address: string): Promise<void> {
  await until(() => activeLease(server, address) === undefined, `end of the lease of ${address}`);
}

/** Addresses of eth0 with lengths, link-local ones left out. */
export async function addressesOf(place: Place): Promise<string[]> {
  const [link] = await place.ip('address', 'show', 'dev', 'eth0', 'scope', 'global');
  // Of what it filters out, iproute2 leaves empty objects.
  const shown = (link?.addr_info ?? []).filter(({ local }) => local !== undefined);
  return shown.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** The routes of a family without those that come with addresses: "DST via GATEWAY", "DST". */
export async function routesOf(place: Place, family: 4 | 6 = 4): Promise<string[]> {
  const routes = await place.ip(`-${family}`, 'route', 'show', 'dev', 'eth0');
  return routes
    .filter(({ protocol }) => protocol !== 'kernel')
    .map(({ dst = '', gateway }) => (gateway === undefined ? dst : `${dst} via ${gateway}`))
    .sort();
}

export async function mtuOf(place: Place): Promise<number> {
  return (await place.ip('link', 'show', 'dev', 'eth0'))[0]?.mtu ?? 0;
}

/** Assertions that wait: the last answer is compared, so that a failure shows it. */
export async function eventually<T>(
  test: Pick<typeof t, 'same'>,
  ask: () => Promise<T>,
  wanted: T,
  what: string,
  deadlineMs = 20_000,
): Promise<void> {
  const last: { answer?: T } = {};
  const isSo = async (): Promise<boolean> => {
    last.answer = await ask();
    return JSON.stringify(last.answer) === JSON.stringify(wanted);
  };
  await until(isSo, what, deadlineMs).catch(() => false);
  test.same(last.answer, wanted, what);
}
