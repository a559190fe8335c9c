/**
 * An address ledger in memory, as plain as can be: what the table tests allocate from, and what the store is compared
 * with.
 */
import type { Address } from '../../lib/base/ip.ts';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import type { AddressLedger } from '../../ipam/ledger.ts';
import type { AttachmentKey } from '../../ipam/record.ts';

const REMEMBERED = 256;

export class MemoryLedger implements AddressLedger {
  readonly #owners = new Map<string, AttachmentKey>();
  readonly #cursors = new Map<string, Address>();
  #released: { scope: string; text: string; turn: number }[] = [];

  take(scope: string, text: string, containerId = 'somebody'): void {
    this.#owners.set(`${scope} ${text}`, { network: scope, containerId, ifname: 'eth0' });
    this.#released = this.#released.filter((old) => old.scope !== scope || old.text !== text);
  }

  release(scope: string, text: string): void {
    if (!this.#owners.delete(`${scope} ${text}`)) return;
    const turn = 1 + (this.#released.findLast((old) => old.scope === scope)?.turn ?? 0);
    this.#released.push({ scope, text, turn });
    this.#released = this.#released.filter((old) => old.scope !== scope || old.turn > turn - REMEMBERED);
  }

  nextFree(scope: string, from: Address, to: Address): Address | undefined {
    const resting = new Set(this.#released.filter((old) => old.scope === scope).map(({ text }) => text));
    for (let value = from.value; value <= to.value; value++) {
      const address = { family: from.family, value };
      if (!this.isTaken(scope, address) && !resting.has(formatAddress(address))) return address;
    }
    return undefined;
  }

  isTaken(scope: string, address: Address): boolean {
    return this.addressOwner(scope, address) !== undefined;
  }

  addressOwner(scope: string, address: Address): AttachmentKey | undefined {
    return this.#owners.get(`${scope} ${formatAddress(address)}`);
  }

  countTaken(scope: string, from: Address, to: Address): number {
    return [...this.#owners.keys()].filter((key) => {
      const [owner = '', text = ''] = key.split(' ');
      const { family, value } = parseAddress(text);
      return owner === scope && family === from.family && from.value <= value && value <= to.value;
    }).length;
  }

  recentlyReleased(scope: string): readonly Address[] {
    return this.#released.filter((old) => old.scope === scope).map(({ text }) => parseAddress(text));
  }

  cursor(scope: string, range: string): Address | undefined {
    return this.#cursors.get(`${scope} ${range}`);
  }

  setCursor(scope: string, range: string, address: Address): void {
    this.#cursors.set(`${scope} ${range}`, address);
  }
}

/** mulberry32: numbers in [0, 1) that a seed decides, so that a failing run can be repeated. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
