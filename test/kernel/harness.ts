/**
 * A private "host" for tests on the real kernel: network, mounts and processes of its own, an uplink to a world
 * outside, containers as further namespaces. See harness-holder.ts for what it is made of and why its teardown is
 * certain.
 *
 *   await withHost(t, async (host) => {
 *     const c1 = await host.container('c1');
 *     const call = { config, containerId: 'c1', ifname: 'eth0', netns: c1.netnsPath };
 *     const answer = await host.cni('bridge', 'ADD', call);
 *     …
 *   });
 *
 * Several hosts run side by side, in one process or in many: nothing in one is visible in another.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { runPlugin } from './harness-cni.ts';
import type { CniAnswer, CniCall, CniCommand } from './harness-cni.ts';
import { Holder, OUTSIDE, world } from './harness-holder.ts';
import type { HolderOptions } from './harness-holder.ts';
import { Place } from './harness-place.ts';
import { snapshot } from './harness-snapshot.ts';
import { until } from './harness-until.ts';
import type { Snapshot, SnapshotOptions } from './harness-snapshot.ts';

export { world } from './harness-holder.ts';
export { lacking } from './harness-lacking.ts';
export { without } from './harness-snapshot.ts';
export { until } from './harness-until.ts';
export { Conversation, ask, serve } from './harness-traffic.ts';
export { Place } from './harness-place.ts';
export type { Snapshot } from './harness-snapshot.ts';
export type { CniAnswer, CniCall, CniCommand, CniJson } from './harness-cni.ts';

/** What `withHost` needs of a tap test. */
export interface Reporter {
  comment(...lines: unknown[]): void;
}

export class Host extends Place {
  readonly #holder: Holder;
  /** The world behind the uplink. */
  readonly outside: Place;
  /** Unlike any other host's. Control groups of this name, in whatever hierarchy, are removed with the host. */
  readonly id: string;

  constructor(holder: Holder) {
    super(holder.pid, 'host', '/proc/1/ns/net');
    this.#holder = holder;
    this.outside = new Place(holder.pid, 'outside', OUTSIDE);
    this.id = holder.id;
  }

  /**
   * A path inside the host as the machine's file system shows it: for reading and writing files, and for namespaces.
   */
  path(inside: string): string {
    // Symbolic links with absolute targets would lead out of the host; /var/run is the one that matters.
    return `/proc/${this.#holder.pid}/root${inside.replace(/^\/var\/run(?=\/|$)/, '/run')}`;
  }

  /** Writes a file in the host, its directories included. */
  write(inside: string, content: string | Uint8Array, mode = 0o644): void {
    mkdirSync(dirname(this.path(inside)), { recursive: true });
    writeFileSync(this.path(inside), content, { mode });
  }

  /** A container's namespace at /run/netns/NAME, loopback up as runtimes leave it. */
  async container(name: string): Promise<Place> {
    await this.shell(`ip netns add ${name}\nip -n ${name} link set lo up`);
    return new Place(this.#holder.pid, name, `/run/netns/${name}`);
  }

  /** Unmounts and removes what `container` made; the kernel takes the links in it along. */
  async removeContainer(name: string): Promise<void> {
    await this.must(['ip', 'netns', 'delete', name]);
  }

  /** A container that is a process: its namespace lives as long as `stop` has not been called. */
  async processContainer(name: string): Promise<{ place: Place; stop: () => Promise<void> }> {
    const init = this.start([
      'unshare',
      '--net',
      'sh',
      '-c',
      'ip link set lo up; echo $$; exec sleep infinity',
    ]);
    await init.until(() => init.output.endsWith('\n'), `process of ${name}`);
    const place = new Place(this.#holder.pid, name, `/proc/${init.output.trim()}/ns/net`);
    return { place, stop: () => init.stop() };
  }

  /** A place at a namespace that something else made. */
  at(netnsPath: string, name = netnsPath): Place {
    return new Place(this.#holder.pid, name, netnsPath);
  }

  /** Runs a plugin, by type name or argv, in this host; see CniCall. */
  async cni(plugin: string | readonly string[], command: CniCommand, call?: CniCall): Promise<CniAnswer> {
    return runPlugin(this, plugin, command, call);
  }

  /** As `cni`, for calls that must succeed. */
  async cniMust(plugin: string | readonly string[], command: CniCommand, call?: CniCall): Promise<CniAnswer> {
    const answer = await this.cni(plugin, command, call);
    if (answer.code === 0) return answer;
    throw new Error(`${command} of ${String(plugin)}: exit ${answer.code}\n${answer.stdout}${answer.stderr}`);
  }

  async snapshot(options?: SnapshotOptions): Promise<Snapshot> {
    return snapshot(this, options);
  }

  /** Ends everything in the host. */
  async close(): Promise<void> {
    await this.#holder.stop();
  }
}

/** Opens a host; the caller closes it. */
export async function openHost(options?: HolderOptions): Promise<Host> {
  const host = new Host(await Holder.start(options));
  // The carrier comes a moment after both ends are up (linkwatch): a dump taken before would differ from one taken
  // after.
  const operstate = async () => (await host.ip('link', 'show', 'dev', world.uplink))[0]?.['operstate'];
  await until(async () => (await operstate()) === 'UP', 'carrier of the uplink');
  return host;
}

/**
 * Runs `body` with a fresh host and removes the host afterwards, come what may; on failure its state is told to `t`.
 */
export async function withHost<T>(
  t: Reporter,
  body: (host: Host) => Promise<T>,
  options?: HolderOptions,
): Promise<T> {
  const host = await openHost(options);
  try {
    return await body(host);
  } catch (error) {
    t.comment(await lastWords(host));
    throw error;
  } finally {
    await host.close();
  }
}

async function lastWords(host: Host): Promise<string> {
  const script = 'ip address; ip route; ip -6 route; ip netns; nft list ruleset; ls -R /var/lib/cni; ps ax';
  const outcome = await host.run(['sh', '-c', `exec 2>&1; ${script}`]);
  return `the host at the time of the failure:\n${outcome.stdout}`;
}
