/** The address that each key had last, of those that were given back. */
import { withoutLength } from '../../../lib/base/ip.ts';
import type { Leases } from '../leased.ts';

/** Keys. */
const MOST = 4096;

/** Servers forget what was given back; asked for it again, most give it again. */
export class GivenBack {
  /** The oldest first. */
  readonly #addresses = new Map<string, string>();

  /** IPv4, without length. */
  lastOf(name: string): string | undefined {
    return this.#addresses.get(name);
  }

  note(name: string, { v4 }: Leases): void {
    if (v4 === undefined) return;
    this.#addresses.delete(name);
    this.#addresses.set(name, withoutLength(v4.address));
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size > MOST && oldest !== undefined) this.#addresses.delete(oldest);
  }
}
