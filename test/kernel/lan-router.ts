/**
 * The LAN's router: radvd(8), or dnsmasq(8) as both advertiser and DHCPv4 server.
 */
import type { Frame, LanListener } from './lan-listener.ts';
import type { LanStation } from './lan-station.ts';
import type { Host, Place } from './harness.ts';
import type { Background } from './harness-process.ts';

/**
 * The head of `interface eth0 { … }`. With its default (MinDelayBetweenRAs 3 s, RFC 4861 10) radvd lets a second
 * client within three seconds wait for them, and it takes less only together with an option for mobile nodes
 * (AdvIntervalOpt). Unsolicited advertisements stay rare: tests provoke what they wait for.
 */
export const QUICK_RADVD = 'AdvSendAdvert on; MinDelayBetweenRAs 0.03; AdvIntervalOpt on;';

/** A prefix for SLAAC, a name server and a search domain. */
export const USUAL_RADVD = `
  prefix 2001:db8:50::/64 { AdvOnLink on; AdvAutonomous on; };
  RDNSS 2001:db8:50::53 {};
  DNSSL lan.example {};`;

const DNSMASQ = [
  ...[
    'dnsmasq',
    '--keep-in-foreground',
    '--log-facility=-',
    '--conf-file=/dev/null',
    '--user=root',
    '--port=0',
  ],
  ...[
    '--interface=eth0',
    '--bind-interfaces',
    '--log-dhcp',
    '--no-ping',
    '--dhcp-authoritative',
    '--leasefile-ro',
  ],
];

export class LanRouter {
  readonly station: LanStation;
  readonly #host: Host;
  readonly #ear: () => Promise<LanListener>;
  #daemon: Background | undefined;

  constructor(host: Host, station: LanStation, ear: () => Promise<LanListener>) {
    this.#host = host;
    this.station = station;
    this.#ear = ear;
  }

  get place(): Place {
    return this.station.place;
  }

  /** What the daemon wrote. */
  get log(): string {
    return `${this.#daemon?.errors ?? ''}${this.#daemon?.output ?? ''}`;
  }

  /** Starts radvd with `body` for eth0; resolves when its first advertisement was heard on the bridge. */
  async radvd(body = USUAL_RADVD, intervals = QUICK_RADVD): Promise<void> {
    this.#write(body, intervals);
    const options = ['-C', this.#config, '-p', `${this.#config}.pid`, '-m', 'stderr', '-d', '1'];
    await this.#advertises(async () => {
      await this.#start(['radvd', '--nodaemon', ...options]);
      return 0;
    });
  }

  /** Gives radvd another body and SIGHUP; resolves when it has advertised after that. */
  async reload(body: string, intervals = QUICK_RADVD): Promise<void> {
    this.#write(body, intervals);
    await this.#advertises(async () =>
      Number(await this.place.shell(`date +%s.%N; kill -HUP ${this.#pid()}`)),
    );
  }

  /**
   * Starts dnsmasq with these options, as in its configuration file; resolves when it advertises, if `enable-ra` is
   * among them, or else serves.
   */
  async dnsmasq(options: readonly string[]): Promise<void> {
    const start = async () => {
      const daemon = await this.#start([...DNSMASQ, ...options.map((option) => `--${option}`)]);
      await daemon.until(() => daemon.errors.includes('DHCP'), 'start of dnsmasq');
      return 0;
    };
    await (options.includes('enable-ra') ? this.#advertises(start) : start());
  }

  /** Ends the daemon as a shutdown does: radvd says goodbye with a router lifetime of 0. Resolves when it has ended. */
  async stop(): Promise<void> {
    await this.#end('TERM');
  }

  /** Ends the daemon without a word to anybody. */
  async crash(): Promise<void> {
    await this.#end('KILL');
  }

  get #config(): string {
    return `/run/harness/lan/radvd-${this.place.name}.conf`;
  }

  /** The daemon's number in the host; its own process writes it before it becomes the daemon. */
  #pid(): string {
    const pid = /^\d+/.exec(this.#daemon?.output ?? '')?.[0];
    if (pid === undefined) throw new Error(`${this.place.name} runs no daemon`);
    return pid;
  }

  async #start(argv: readonly string[]): Promise<Background> {
    if (this.#daemon !== undefined) throw new Error(`${this.place.name} runs a daemon already`);
    const daemon = this.place.start(['sh', '-c', 'echo $$; exec "$@"', 'sh', ...argv]);
    this.#daemon = daemon;
    await daemon.until(() => daemon.output.includes('\n'), 'process number');
    return daemon;
  }

  async #end(signal: string): Promise<void> {
    await this.place.shell(`kill -${signal} ${this.#pid()}`);
    await this.#daemon?.end();
    this.#daemon = undefined;
  }

  #write(body: string, intervals: string): void {
    this.#host.write(this.#config, `interface eth0 {\n  ${intervals}\n  ${body}\n};\n`);
  }

  /** Resolves when an advertisement of this router has been heard that is younger than what `cause` answers. */
  async #advertises(cause: () => Promise<number>): Promise<void> {
    const ear = await this.#ear();
    try {
      const [eth0] = await this.place.ip('link', 'show', 'dev', 'eth0');
      const mac = eth0?.address?.replaceAll(':', '');
      const since = await cause();
      const own = ({ at, bytes }: Frame) => at >= since && bytes.toString('hex', 6, 12) === mac;
      await ear.hears(own, `advertisement of ${this.place.name}`);
    } catch (error) {
      throw new Error(`${this.place.name} does not advertise: ${this.log}`, { cause: error });
    } finally {
      await ear.stop();
    }
  }
}
