/**
 * When addresses in containers become usable, as a peer on their LAN finds: told by the kernel's notifications in the
 * container, then by the answer to one echo request. A small Perl program, for the reasons given in spawner.ts.
 */
import { readFileSync } from 'node:fs';
import type { Background } from '../kernel/harness-process.ts';
import type { LanStation } from '../kernel/lan-station.ts';

/** Times of CLOCK_MONOTONIC in milliseconds, as those of the spawner. */
export interface Usable {
  /** The container's global IPv6 address has answered a peer, optimistic though it may be. */
  readonly pinged: number;
  /** Its global IPv6 address is past duplicate address detection. */
  readonly final: number;
}

const DEADLINE_MS = 60_000;

export class Watcher {
  readonly #peer: LanStation;
  readonly #perl: Background;

  private constructor(peer: LanStation, perl: Background) {
    this.#peer = peer;
    this.#perl = perl;
  }

  /**
   * Neighbour solicitations of the peer are repeated every few milliseconds instead of every second, so that one that
   * came too early does not show as a second lost.
   */
  static async start(peer: LanStation): Promise<Watcher> {
    await peer.place.shell(`
      echo 4 > /proc/sys/net/ipv6/neigh/eth0/retrans_time_ms
      echo 1000 > /proc/sys/net/ipv6/neigh/eth0/mcast_solicit`);
    const program = readFileSync(new URL('watcher.pl', import.meta.url), 'utf8');
    return new Watcher(peer, peer.place.start(['perl', '-e', program]));
  }

  /** Resolves when whatever happens to eth0 in these namespaces is noticed. */
  async watch(containers: ReadonlyMap<number, string>): Promise<void> {
    const lines = [...containers].map(([number, path]) => `watch ${number} ${path}\n`);
    this.#perl.write(lines.join(''));
    await this.#tell(`watching ${Math.max(...containers.keys())}\n`);
  }

  /**
   * Notices nothing of them any more. The peer forgets its neighbours too: else it would look for the next holder of an
   * address at the MAC of the one before, which only the contender who gives the lowest free address would suffer.
   */
  async forget(numbers: readonly number[]): Promise<void> {
    this.#perl.write(numbers.map((number) => `forget ${number}\n`).join(''));
    await this.#peer.place.must(['ip', 'neigh', 'flush', 'dev', 'eth0']);
  }

  async usable(number: number): Promise<Usable> {
    const find = (what: string) => new RegExp(`^${what} ${number} (\\d+) `, 'm').exec(this.#perl.output)?.[1];
    const known = () => find('pinged') !== undefined && find('final') !== undefined;
    await this.#perl.until(known, `usable address of container ${number}`, DEADLINE_MS);
    return { pinged: Number(find('pinged')) / 1000, final: Number(find('final')) / 1000 };
  }

  async close(): Promise<void> {
    await this.#perl.stop();
  }

  async #tell(line: string): Promise<void> {
    await this.#perl.until(() => this.#perl.output.includes(line), line.trim());
  }
}
