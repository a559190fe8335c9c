/**
 * One range of a pool, with the rules and defaults of the reference host-local plugin (containernetworking/plugins
 * plugins/ipam/host-local/README.md): gateway = network + 1, rangeStart = network + 1, rangeEnd = last address (IPv4:
 * the one before broadcast). /31 (RFC 3021) and /127 (RFC 6164), which the reference refuses, hold two usable
 * addresses: the gateway and one container.
 */
import type { Address, Prefix } from '../lib/base/ip.ts';
import {
  AddressError,
  bitsOf,
  firstAddress,
  formatAddress,
  formatPrefix,
  lastAddress,
  networkOf,
  offsetAddress,
  parseAddress,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  sameAddress,
} from '../lib/base/ip.ts';
import { NetmoorError } from '../lib/base/errors.ts';
import type { Span } from './span.ts';
import { single } from './span.ts';

/** A range as configs write it. As in the reference, an empty string means the same as an absent key. */
export interface RangeConfig {
  readonly subnet?: string | undefined;
  readonly rangeStart?: string | undefined;
  readonly rangeEnd?: string | undefined;
  readonly gateway?: string | undefined;
}

export interface RangeBounds {
  readonly subnet: Prefix;
  readonly start: Address;
  readonly end: Address;
  readonly gateway: Address;
}

// Addresses in here have the same 128 bits as IPv4 ones (RFC 4291 2.5.5.2), no network can route them.
const MAPPED: Prefix = { address: { family: 6, value: 0xffffn << 32n }, length: 96 };

export function badKey(key: string, value: unknown, problem: string, advice: string): NetmoorError {
  return new NetmoorError('bad-config', `${key}: ${JSON.stringify(value)} ${problem}`, advice);
}

/** Calls one of the readers of lib/base/ip.ts; throws 'bad-config' naming the key, the value and what to write. */
export function readText<T>(key: string, value: unknown, read: (text: string) => T, advice: string): T {
  if (typeof value !== 'string') throw badKey(key, value, 'is not a string', advice);
  try {
    return read(value);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw badKey(key, value, `cannot be read: ${error.message}`, advice);
  }
}

function readSubnet(key: string, value: unknown): Prefix {
  const subnet = readText(
    key,
    value,
    parsePrefix,
    'write a network with its prefix length, like "10.22.0.0/16"',
  );
  const network = networkOf(subnet);
  if (!sameAddress(network.address, subnet.address)) {
    throw badKey(key, value, 'has host bits set', `write "${formatPrefix(network)}"`);
  }
  const bits = bitsOf(subnet.address.family);
  if (subnet.length > bits - 1) {
    throw badKey(key, value, 'is too small to allocate from', `use a prefix of /${bits - 1} or shorter`);
  }
  if (prefixesOverlap(subnet, MAPPED)) {
    throw badKey(
      key,
      value,
      'overlaps the IPv4-mapped addresses',
      'write the IPv4 network itself, or another IPv6 one',
    );
  }
  return subnet;
}

function isPointToPoint(subnet: Prefix): boolean {
  return subnet.length === bitsOf(subnet.address.family) - 1;
}

/** The addresses of a subnet that no host may have: its own, and in IPv4 its broadcast address. */
export function unusable(subnet: Prefix): Span[] {
  if (isPointToPoint(subnet)) return [];
  const own = single(firstAddress(subnet));
  return subnet.address.family === 4 ? [own, single(lastAddress(subnet))] : [own];
}

function readBound(key: string, value: unknown, subnet: Prefix): Address {
  const advice = `write an address inside ${formatPrefix(subnet)}`;
  const address = readText(key, value, parseAddress, advice);
  if (!prefixContains(subnet, address)) throw badKey(key, value, `is not in ${formatPrefix(subnet)}`, advice);
  return address;
}

function readGateway(key: string, value: unknown, subnet: Prefix): Address {
  const family = subnet.address.family === 4 ? 'IPv4' : 'IPv6';
  const gateway = readText(key, value, parseAddress, `write an ${family} address`);
  if (gateway.family !== subnet.address.family) {
    throw badKey(
      key,
      value,
      `is of another family than ${formatPrefix(subnet)}`,
      `write an ${family} address`,
    );
  }
  return gateway;
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** Validates one range and fills its defaults. `key` is its path in the config, for messages. Throws 'bad-config'. */
export function readRange(key: string, config: RangeConfig): RangeBounds {
  const subnet = readSubnet(`${key}.subnet`, config.subnet);
  const first = firstAddress(subnet);
  const last = lastAddress(subnet);
  const pair = isPointToPoint(subnet);
  const gateway = given(config.gateway)
    ? readGateway(`${key}.gateway`, config.gateway, subnet)
    : offsetAddress(first, 1n);
  const start = given(config.rangeStart)
    ? readBound(`${key}.rangeStart`, config.rangeStart, subnet)
    : offsetAddress(first, pair ? 0n : 1n);
  const end = given(config.rangeEnd)
    ? readBound(`${key}.rangeEnd`, config.rangeEnd, subnet)
    : offsetAddress(last, pair || first.family === 6 ? 0n : -1n);
  if (start.value > end.value) {
    const problem = `is above rangeEnd ${formatAddress(end)}`;
    throw badKey(`${key}.rangeStart`, formatAddress(start), problem, 'exchange rangeStart and rangeEnd');
  }
  return { subnet, start, end, gateway };
}
