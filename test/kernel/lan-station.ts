/**
 * Somebody on the LAN with an interface `eth0`: whom others see as a neighbour, and who sees them.
 */
import { until } from './harness.ts';
import type { Place } from './harness.ts';

/** An entry of the neighbour table as `ip -j neigh` shows it. */
export interface Neighbour {
  readonly dst: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
  readonly router?: null;
}

export class LanStation {
  readonly place: Place;

  constructor(place: Place) {
    this.place = place;
  }

  /** Whether an answer comes in time; neither family's address may be a name. */
  async pings(address: string, deadlineMs = 2_000): Promise<boolean> {
    const seconds = String(Math.ceil(deadlineMs / 1000));
    const argv = ['ping', '-n', '-q', '-c', '1', '-w', seconds, '-I', 'eth0', address];
    return (await this.place.run(argv)).code === 0;
  }

  /** What this station knows of a neighbour; undefined for nothing. */
  async neighbour(address: string): Promise<Neighbour | undefined> {
    const [entry] = await this.place.ip('neigh', 'show', 'to', address, 'dev', 'eth0');
    return entry as unknown as Neighbour | undefined;
  }

  /** Makes this station believe that `address` is at `mac`: what an unsolicited announcement has to correct. */
  async believes(address: string, mac: string): Promise<void> {
    await this.place.must(['ip', 'neigh', 'replace', address, 'lladdr', mac, 'dev', 'eth0', 'nud', 'stale']);
  }

  /** Resolves when the neighbour table has the address at `mac`. */
  async learns(address: string, mac: string, deadlineMs?: number): Promise<void> {
    const known = async () => (await this.neighbour(address))?.lladdr === mac;
    await until(known, `${this.place.name} has ${address} at ${mac}`, deadlineMs);
  }
}
