/**
 * The DHCP servers of this host's networks, as a resident of the engine. What is to be served stands in the lease
 * stores: another engine, after a crash, finds it there.
 *
 * It looks when it begins, when an ADD asks for a network to be served (the CNI command STATUS, of the plugin
 * "dhcp-server", which nobody installs), and every few seconds as long as there is something to serve.
 */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import type { Plugin } from '../../../lib/cni/plugin.ts';
import type { MakeResident, Resident, ResidentHost, ResidentStatus } from '../../../lib/cni/resident.ts';
import { bootNow } from '../../../lib/system/boot-clock.ts';
import { NAME } from './program.ts';
import { Service } from './service.ts';
import type { Found, Looked } from './looking.ts';

const LOOK_MS = 5000;
/** Leases are looked through at least so often, whatever is known of their ends: records may come from elsewhere. */
const ENDS_MS = 300_000;

function refuseCommand(): never {
  throw new NetmoorError(
    'bad-environment',
    `${NAME} is no plugin to attach containers with`,
    'use bridge-nat',
  );
}

/** One network a bridge: the first by name that leases or announces anything. */
function oneEach(found: readonly Found[]): { chosen: ReadonlyMap<string, Found>; others: readonly Found[] } {
  const chosen = new Map<string, Found>();
  const others = found.filter((each) => {
    if (chosen.has(each.segment)) return true;
    chosen.set(each.segment, each);
    return false;
  });
  return { chosen, others };
}

class DhcpServers implements Resident {
  readonly plugins: ReadonlyMap<string, Plugin>;
  readonly #host: ResidentHost;
  readonly #services = new Map<string, Service>();
  #looking: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds since boot. */
  #endsAt = 0;
  #stopped = false;
  #told = new Set<string>();

  constructor(host: ResidentHost) {
    this.#host = host;
    const plugin: Plugin = {
      name: NAME,
      about: 'The DHCP servers of this host',
      add: refuseCommand,
      check: refuseCommand,
      del: refuseCommand,
      status: async ({ config }) => this.#serves(config.name),
    };
    this.plugins = new Map([[NAME, plugin]]);
  }

  async start(): Promise<void> {
    await this.#look();
  }

  busy(): boolean {
    return this.#services.size > 0;
  }

  async status(): Promise<ResidentStatus> {
    const leases = this.busy() ? await this.#host.runTask('dhcp-server/count', null) : 0;
    return { leases: Number(leases), timers: this.#timer === undefined ? 0 : 1 };
  }

  /** The leases hold, and so does what was announced: another engine goes on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    for (const service of this.#services.values()) await service.stop(false);
    this.#services.clear();
  }

  /** Throws NetmoorError('not-available') unless the network is served by now. */
  async #serves(name: string): Promise<void> {
    await this.#look();
    if ([...this.#services.values()].some(({ found }) => found.name === name)) return;
    throw new NetmoorError(
      'not-available',
      `the engine does not serve DHCP on network ${name}`,
      'its journal says why: another network may be served on the same bridge, or the bridge be gone',
    );
  }

  /** One look at a time; who asks while one is under way wants another. */
  async #look(): Promise<void> {
    this.#looking = this.#looking
      .then(async () => this.#lookOnce())
      .catch((error: unknown) => {
        this.#host.log('warning', `the networks to serve could not be looked at: ${errorText(error)}`);
      });
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    const now = bootNow();
    const ends = now >= this.#endsAt;
    const looked = (await this.#host.runTask('dhcp-server/look', { ends })) as unknown as Looked;
    if (ends) this.#endsAt = Math.min(looked.nextEnd ?? Infinity, now + ENDS_MS);
    for (const note of looked.notes) this.#host.log('info', note);
    await this.#follow(looked.found);
    for (const service of this.#services.values()) service.tick(bootNow());
    if (this.#services.size > 0 && !this.#stopped)
      this.#timer = setTimeout(() => void this.#look(), LOOK_MS).unref();
  }

  async #follow(found: readonly Found[]): Promise<void> {
    const { chosen, others } = oneEach(found);
    for (const { name, segment } of others)
      this.#tellOnce(`${name} is not served: bridge ${segment} is served for ${chosen.get(segment)?.name}`);
    for (const [segment, service] of this.#services) {
      const now = chosen.get(segment);
      if (JSON.stringify(now) === JSON.stringify(service.found)) continue;
      this.#services.delete(segment);
      await service.stop(now === undefined);
      if (now === undefined)
        this.#host.log('notice', `${service.found.name}: bridge ${segment} is not served any more`);
    }
    for (const [segment, each] of chosen) if (!this.#services.has(segment)) this.#open(segment, each);
  }

  #open(segment: string, found: Found): void {
    try {
      const { runTask, log, reactor } = this.#host;
      const endsAt = (until: number): void => {
        this.#endsAt = Math.min(this.#endsAt, until);
      };
      const service = Service.open(found, { runTask, log, reactor, endsAt });
      this.#services.set(segment, service);
      const { pool, prefixes = [] } = found.server;
      const what = [...(pool ? ['DHCPv4'] : []), ...(prefixes.length > 0 ? ['router advertisements'] : [])];
      log('notice', `${found.name}: bridge ${segment} is served with ${what.join(' and ')}`);
    } catch (error) {
      this.#host.log('warning', `${found.name}: bridge ${segment} cannot be served: ${errorText(error)}`);
    }
  }

  #tellOnce(line: string): void {
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#host.log('warning', line);
  }
}

export const makeDhcpServers: MakeResident = (host) => new DhcpServers(host);
