/**
 * A DHCP server in use, run in a place on the LAN: started, stopped, replaced, and asked by its own log and lease file.
 *
 *   const server = await DhcpServer.start(lan.host, lan.router, kea4({ first: '192.0.2.100', last: '192.0.2.120' }));
 *   …
 *   await server.says('ACK', { count: 2 });             // a renewal
 *   t.match(server.leases(), [{ address: '192.0.2.100', state: 'active' }]);
 *   await server.replace(dhcpd4({ … }));                // another program, which knows no lease
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Background } from '../kernel/harness-process.ts';
import { until } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';

/** A message that the server tells of. */
export interface LogLine {
  /** In capitals, DHCPv4's without `DHCP`: DISCOVER, ACK, SOLICIT, REPLY, INFORMATION-REQUEST, … */
  readonly message: string;
  readonly text: string;
}

export interface ServerLease {
  readonly type: 'v4' | 'na' | 'pd';
  /** The prefix's first address without its length, for `pd`. */
  readonly address: string;
  readonly prefixLength?: number;
  readonly state: 'active' | 'declined' | 'free';
  /** With colons. */
  readonly mac?: string;
  /** DHCPv4's client identifier (option 61) or DHCPv6's DUID, in hexadecimal digits without colons. */
  readonly clientId?: string;
  readonly iaid?: number;
  /** Seconds since 1970. */
  readonly expires: number;
}

/** Where a server finds and leaves its files, as it sees them. */
export interface ServerFiles {
  readonly config: string;
  readonly leases: string;
  readonly directory: string;
}

/** How one program is used. */
export interface ServerKind {
  readonly name: string;
  config(files: ServerFiles): string;
  argv(files: ServerFiles): readonly string[];
  environment?(files: ServerFiles): Readonly<Record<string, string>>;
  /** What it writes when it serves. */
  readonly ready: RegExp;
  parseLog(text: string): LogLine[];
  parseLeases(text: string): ServerLease[];
}

const ROOT = '/run/harness/dhcp';
const START_MS = 20_000;

export class DhcpServer {
  readonly host: Host;
  readonly place: Place;
  #kind: ServerKind;
  #daemon: Background | undefined;
  /** What daemons before this one wrote. */
  #past = '';

  private constructor(host: Host, place: Place, kind: ServerKind) {
    this.host = host;
    this.place = place;
    this.#kind = kind;
  }

  /** Resolves when it serves. */
  static async start(host: Host, place: Place, kind: ServerKind): Promise<DhcpServer> {
    const server = new DhcpServer(host, place, kind);
    await server.start();
    return server;
  }

  /** All that was written, by all the daemons at this place of the present kind. */
  get text(): string {
    return `${this.#past}${this.#daemon?.errors ?? ''}${this.#daemon?.output ?? ''}`;
  }

  /** The program's name. */
  get kind(): string {
    return this.#kind.name;
  }

  log(): LogLine[] {
    return this.#kind.parseLog(this.text);
  }

  /** The messages' names alone: DISCOVER, OFFER, REQUEST, ACK. */
  messages(): string[] {
    return this.log().map(({ message }) => message);
  }

  /** What the lease file says, the last word on each address. */
  leases(): ServerLease[] {
    const file = this.host.path(this.#files.leases);
    return existsSync(file) ? this.#kind.parseLeases(readFileSync(file, 'utf8')) : [];
  }

  /** Resolves with the `count`th such message; those of stopped daemons count too. */
  async says(
    message: string,
    { count = 1, deadlineMs = 15_000 }: { readonly count?: number; readonly deadlineMs?: number } = {},
  ): Promise<LogLine> {
    const found = () => this.log().filter((line) => line.message === message);
    await this.#running().until(
      () => found().length >= count,
      `${message} of ${this.#kind.name}`,
      deadlineMs,
    );
    const line = found()[count - 1];
    if (line === undefined) throw new Error(`${this.#kind.name} takes back what it said`);
    return line;
  }

  /** Resolves when the lease file has no active lease of the address. */
  async ended(address: string, deadlineMs = 15_000): Promise<void> {
    const active = () => this.leases().some((lease) => lease.address === address && lease.state === 'active');
    await until(() => !active(), `end of the lease of ${address}`, deadlineMs);
  }

  /** Starts again with the leases it has, after `stop` or `crash`; with another kind's settings if given. */
  async start(kind: ServerKind = this.#kind): Promise<void> {
    if (this.#daemon !== undefined) throw new Error(`${this.place.name} serves already`);
    this.#kind = kind;
    const files = this.#files;
    this.host.write(files.config, kind.config(files));
    await this.host.shell(`touch ${files.leases}`);
    const variables = Object.entries(kind.environment?.(files) ?? {}).map(
      ([name, value]) => `${name}=${value}`,
    );
    const argv = ['env', ...variables, ...kind.argv(files)];
    const daemon = this.place.start(['sh', '-c', 'echo $$; exec "$@" 2>&1', 'sh', ...argv]);
    this.#daemon = daemon;
    await daemon.until(() => kind.ready.test(daemon.output), `start of ${kind.name}`, START_MS);
  }

  async stop(): Promise<void> {
    await this.#end('TERM');
  }

  /** Without a word to anybody. */
  async crash(): Promise<void> {
    await this.#end('KILL');
  }

  /** Ends the server and forgets its leases: what starts then has never heard of anybody. */
  async replace(kind: ServerKind): Promise<void> {
    if (this.#daemon !== undefined) await this.stop();
    await this.forget();
    this.#past = '';
    await this.start(kind);
  }

  /** Removes the lease file of a stopped server. */
  async forget(): Promise<void> {
    await this.host.shell(`rm -f ${this.#files.leases}*`);
  }

  get #files(): ServerFiles {
    const directory = `${ROOT}/${this.place.name}`;
    const path = `${directory}/${this.#kind.name}`;
    return { directory, config: `${path}.conf`, leases: `${path}.leases` };
  }

  #running(): Background {
    if (this.#daemon === undefined) throw new Error(`${this.place.name} does not serve`);
    return this.#daemon;
  }

  async #end(signal: string): Promise<void> {
    const daemon = this.#running();
    await this.place.shell(`kill -${signal} ${/^\d+/.exec(daemon.output)?.[0] ?? ''}`);
    await daemon.end();
    this.#past = this.text;
    this.#daemon = undefined;
  }
}
