/** A neighbour who means ill, on the LAN; it hears what others say to each other, too. */
import { fileURLToPath } from 'node:url';
import type { Background } from '../kernel/harness-process.ts';
import type { DhcpLan } from './dhcp-lan.ts';

const DRIVER = fileURLToPath(new URL('rogue-driver.ts', import.meta.url));

export class Rogue {
  readonly #process: Background;

  private constructor(process: Background) {
    this.#process = process;
  }

  /** Resolves when it is at work. */
  static async start({ lan }: DhcpLan, mode: 'lie' | 'flood'): Promise<Rogue> {
    // A switch that learns nothing lets everybody hear everything.
    await lan.switch.shell('ip link set lan type bridge ageing_time 0');
    const place = (await lan.station('rogue', { addresses: ['192.0.2.66/24'] })).place;
    const [eth0] = await place.ip('link', 'show', 'dev', 'eth0');
    const rogue = new Rogue(place.start([process.execPath, DRIVER, mode, String(eth0?.['ifindex'])]));
    await rogue.#process.until(() => rogue.sent !== undefined, 'rogue at work');
    return rogue;
  }

  /** Frames so far. */
  get sent(): number | undefined {
    const lines = this.#process.output.trim().split('\n');
    return lines[0] === '' ? undefined : Number(lines.at(-1));
  }

  async hasSent(frames: number, deadlineMs = 60_000): Promise<void> {
    await this.#process.until(() => (this.sent ?? 0) >= frames, `${frames} frames of a rogue`, deadlineMs);
  }
}
