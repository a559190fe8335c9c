/**
 * Subnets for a network that names none: an IPv4 /24 of private space (RFC 1918) that nothing on this host and no
 * tool's default uses, and an IPv6 /64 of the machine's own unique local prefix (RFC 4193 3.1: fd, 40 bits of global
 * id, 16 bits of subnet id). Both begin their search at a place the names decide, so that a network made again tends to
 * get what it had. Off the hot path and imported when needed: ip-cidr and node:crypto cost milliseconds to load.
 */
import { createHmac } from 'node:crypto';
import IPCIDR from 'ip-cidr';
import type { Prefix } from '../lib/base/ip.ts';
import { formatPrefix, networkOf } from '../lib/base/ip.ts';
import { NetmoorError } from '../lib/base/errors.ts';
import { OTHER_TOOLS } from './other-tools.ts';

export interface SubnetRequest {
  /** The network's name. */
  readonly network: string;
  /** Prefixes in use: the host's routes and addresses, and other networks' subnets. */
  readonly taken: readonly Prefix[];
  /** machine-id(5); only a keyed hash of it is used, as that page asks. */
  readonly machineId: string;
}

export interface Subnets {
  readonly v4: Prefix;
  readonly v6: Prefix;
}

interface Block {
  readonly first: bigint;
  readonly last: bigint;
}

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'] as const;
const V4_SIZE = 256n;
const V6_SIZE = 1n << 64n;
// A route this short says "everything" (a default route, or its two halves as VPN clients set them, or all of
// fc00::/7), not that its addresses are somebody's.
const SHORTEST = { 4: 4, 6: 8 } as const;

function block(prefix: string): Block {
  const cidr = new IPCIDR(prefix);
  const [first, last] = cidr.toRange<bigint>({ type: 'bigInteger' });
  return { first, last };
}

function blocksTaken(taken: readonly Prefix[], family: 4 | 6): Block[] {
  return taken
    .filter((prefix) => prefix.address.family === family && prefix.length >= SHORTEST[family])
    .map((prefix) => block(formatPrefix(networkOf(prefix))));
}

/**
 * The nearest free block of `size` addresses from `start` upwards in `space`, going round once; all aligned to `size`.
 */
function firstFree(space: Block, size: bigint, start: bigint, taken: readonly Block[]): bigint | undefined {
  const search = (from: bigint, to: bigint): bigint | undefined => {
    let at = from;
    while (at < to) {
      const obstacle = taken.find((other) => other.first < at + size && at <= other.last);
      if (obstacle === undefined) return at;
      at = ((obstacle.last + size) / size) * size;
    }
    return undefined;
  };
  return search(start, space.last) ?? search(space.first, start);
}

function digest(key: string, text: string): Buffer {
  return createHmac('sha256', `netmoor ${key}`).update(text).digest();
}

function pickV4({ network, taken }: SubnetRequest): Prefix {
  const used = blocksTaken(taken, 4);
  const avoided = [...used, ...OTHER_TOOLS.map(({ prefix }) => block(prefix))];
  const hash = BigInt(digest('subnet', network).readUInt32BE(0));
  // Where all the rest is in use (a VPN that routes 10.0.0.0/8), a tool's default nobody uses here is better than
  // nothing.
  for (const obstacles of [avoided, used]) {
    for (const area of PRIVATE) {
      const space = block(area);
      const start = space.first + (hash % ((space.last - space.first + 1n) / V4_SIZE)) * V4_SIZE;
      const value = firstFree(space, V4_SIZE, start, obstacles);
      if (value !== undefined) return { address: { family: 4, value }, length: 24 };
    }
  }
  throw new NetmoorError(
    'pool-exhausted',
    `no IPv4 /24 of private space is free for network ${network}: routes or other networks cover all of it`,
    'give the network an "ipam" with a "subnet" of your own choice',
  );
}

function pickV6({ network, taken, machineId }: SubnetRequest): Prefix {
  const globalId = BigInt(`0x${digest('ula', machineId).toString('hex', 0, 5)}`);
  const first = (0xfdn << 120n) | (globalId << 80n);
  const space = { first, last: first + (V6_SIZE << 16n) - 1n };
  const start = first + BigInt(digest('subnet', network).readUInt16BE(4)) * V6_SIZE;
  const value = firstFree(space, V6_SIZE, start, blocksTaken(taken, 6));
  if (value !== undefined) return { address: { family: 6, value }, length: 64 };
  const local = formatPrefix({ address: { family: 6, value: first }, length: 48 });
  throw new NetmoorError(
    'pool-exhausted',
    `no /64 of this machine's unique local prefix ${local} is free`,
    'give the network an "ipam" with IPv6 "ranges" of your own choice',
  );
}

/** Throws NetmoorError('pool-exhausted') when everything is in use. */
export function pickSubnets(request: SubnetRequest): Subnets {
  return { v4: pickV4(request), v6: pickV6(request) };
}
