/** A DHCPv4 server as RFC 2131, section 4.3, describes it, and what it has promised to whom. */
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import {
  CLIENT_IDENTIFIER,
  LEASE_TIME,
  REQUESTED_ADDRESS,
  SERVER_IDENTIFIER,
  SUBNET_MASK,
  readOption,
  written,
} from '../../ipam/dhcp/v4/options/known.ts';
import { reply } from './dhcp4-messages.ts';

const UNSET = '0.0.0.0';

export class ServerModel {
  readonly id: string;
  /** The first three bytes of its addresses. */
  readonly network: string;
  isUp = true;
  /** Seconds. */
  readonly lease: number;
  /** By address: whose, and until when. */
  #promises = new Map<string, { client: string; until: number }>();
  readonly declined = new Set<string>();
  readonly released: string[] = [];

  constructor(id: string, network: string, lease: number) {
    this.id = id;
    this.network = network;
    this.lease = lease;
  }

  /** It loses its memory. */
  forget(): void {
    this.#promises.clear();
  }

  /** Shares the other one's memory. */
  inherit(other: ServerModel): void {
    this.#promises = other.#promises;
  }

  promise(address: string): { client: string; until: number } | undefined {
    return this.#promises.get(address);
  }

  #isFree(address: string, client: string, now: number): boolean {
    const promise = this.#promises.get(address);
    const mine = promise === undefined || promise.client === client || promise.until < now;
    return mine && !this.declined.has(address) && address.startsWith(`${this.network}.`);
  }

  #choose(client: string, wanted: string | undefined, now: number): string | undefined {
    const before = [...this.#promises].find(([, promise]) => promise.client === client)?.[0];
    const pool = Array.from({ length: 20 }, (_, index) => `${this.network}.${100 + index}`);
    const candidates = [wanted, before, ...pool].filter((address) => address !== undefined);
    return candidates.find((address) => this.#isFree(address, client, now));
  }

  #answer(type: Message4['type'], { xid, chaddr, options }: Message4, yiaddr = UNSET): Message4 {
    const lease =
      type === 'nak' ? [] : [written(LEASE_TIME, this.lease), written(SUBNET_MASK, '255.255.255.0')];
    const client = readOption(options, CLIENT_IDENTIFIER) ?? '';
    const entries = [written(SERVER_IDENTIFIER, this.id), written(CLIENT_IDENTIFIER, client), ...lease];
    return reply(type, xid, entries, { yiaddr, chaddr });
  }

  #acknowledge(message: Message4, client: string, address: string, now: number): Message4 {
    this.#promises.set(address, { client, until: now + this.lease * 1000 });
    return this.#answer('ack', message, address);
  }

  #request(message: Message4, client: string, now: number): Message4 | undefined {
    const server = readOption(message.options, SERVER_IDENTIFIER);
    const wanted = readOption(message.options, REQUESTED_ADDRESS);
    if (server !== undefined && server !== this.id) return undefined;
    const address = message.ciaddr === UNSET ? wanted : message.ciaddr;
    if (address === undefined) return undefined;
    if (server !== undefined && this.#isFree(address, client, now))
      return this.#acknowledge(message, client, address, now);
    // Whoever is not authoritative is silent about what he does not know.
    const promise = this.#promises.get(address);
    if (promise === undefined && !address.startsWith(`${this.network}.`)) return undefined;
    const mine = promise?.client === client && promise.until >= now;
    return mine ? this.#acknowledge(message, client, address, now) : this.#answer('nak', message);
  }

  receive(message: Message4, now: number): Message4 | undefined {
    const client = readOption(message.options, CLIENT_IDENTIFIER);
    if (!this.isUp || client === undefined) return undefined;
    const wanted = readOption(message.options, REQUESTED_ADDRESS);
    if (message.type === 'discover') {
      const address = this.#choose(client, wanted, now);
      return address === undefined ? undefined : this.#answer('offer', message, address);
    }
    if (message.type === 'request') return this.#request(message, client, now);
    if (readOption(message.options, SERVER_IDENTIFIER) !== this.id) return undefined;
    if (message.type === 'decline' && wanted !== undefined) this.declined.add(wanted);
    if (message.type === 'release' && this.#promises.get(message.ciaddr)?.client === client) {
      this.#promises.delete(message.ciaddr);
      this.released.push(message.ciaddr);
    }
    return undefined;
  }
}
