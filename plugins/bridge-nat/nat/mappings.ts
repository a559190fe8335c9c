/**
 * `forwards` and `oneToOne`: ports and addresses of the host that the configuration gives to addresses of the network.
 */
import { formatAddress, parsePrefix, prefixContains } from '../../../lib/base/ip.ts';
import type { Address } from '../../../lib/base/ip.ts';
import { canBeOfHost, describeMapping, mappingsConflict } from '../../../lib/cni/port-mappings.ts';
import type { PortMapping, Protocol } from '../../../lib/cni/port-mappings.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import { readAddress, refuse } from './refuse.ts';

/** A port of the host that the configuration itself forwards. */
export interface StaticForward extends PortMapping {
  readonly to: Address;
}

export interface PublicAddress {
  readonly public: Address;
  readonly container: Address;
  /** Interfaces on which the host answers for it, since it is none of its own; looked up by the host. */
  readonly answeredOn?: readonly string[];
}

type ForwardInput = NonNullable<BridgeNatInput['forwards']>[number];

const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'] satisfies Protocol[];

function isProtocol(text: string): text is Protocol {
  return PROTOCOLS.includes(text);
}

/** "10.1.1.6:22", "[fd00::6]:22" */
function readTarget(key: string, text: string): { to: Address; containerPort: number } {
  const [, v6, v4 = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const containerPort = Number(port);
  if (containerPort < 1 || containerPort > 65535)
    refuse(`${key} is ${quote(text)}`, 'write address and port: "10.1.1.6:22" or "[fd00::6]:22"');
  return { to: readAddress(key, v6 ?? v4, v6 === undefined ? 4 : 6), containerPort };
}

function readForward(input: ForwardInput, index: number): StaticForward {
  const key = `forwards[${index}]`;
  const { hostPort, range: count = 1, hostIP } = input;
  const protocol = (input.protocol ?? 'tcp').toLowerCase();
  if (!isProtocol(protocol)) refuse(`${key}.protocol is ${quote(protocol)}`, 'use tcp, udp or sctp');
  const { to, containerPort } = readTarget(`${key}.to`, input.to);
  if (Math.max(hostPort, containerPort) + count > 65536)
    refuse(`${key} runs beyond port 65535`, 'forward fewer ports');
  const hostIp = hostIP ? readAddress(`${key}.hostIP`, hostIP) : { family: to.family, value: 0n };
  if (hostIp.family !== to.family)
    refuse(`${key}: hostIP and "to" are of different families`, 'name addresses of the same family');
  if (hostIp.family === 6 && hostIp.value === 1n)
    refuse(`${key}.hostIP is ::1, which the kernel cannot redirect`, 'use 127.0.0.1');
  if (!canBeOfHost(hostIp))
    refuse(`${key}.hostIP: ${quote(hostIP)} is no address of a host`, 'name one of its own');
  return { protocol, hostIp, hostPort, containerPort, count, to };
}

export function readForwards({ forwards = [] }: BridgeNatInput): StaticForward[] {
  const read = forwards.map(readForward);
  for (const [index, forward] of read.entries()) {
    const other = read.slice(0, index).find((earlier) => mappingsConflict(earlier, forward));
    if (other)
      refuse(
        `forwards: ${describeMapping(other)} and ${describeMapping(forward)} are the same port of the host`,
        'forward it once',
      );
  }
  return read;
}

/** Loopback, multicast, link-local, and none at all. */
const NOBODYS = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/127',
  'fe80::/10',
  'ff00::/8',
];

export function readOneToOne({ oneToOne = [] }: BridgeNatInput): PublicAddress[] {
  const listed = Array.isArray(oneToOne)
    ? oneToOne.map((pair, index) => ({ key: `oneToOne[${index}]`, ...pair }))
    : Object.entries(oneToOne)
        .filter(([key]) => !/^(_|\/\/)/.test(key))
        .map(([key, to]) => ({ key: 'oneToOne', public: key, container: String(to) }));
  const nobodys = listed.length === 0 ? [] : NOBODYS.map(parsePrefix);
  const pairs = listed.map(({ key, ...pair }) => {
    const address = readAddress(`${key}: public`, pair.public);
    if (nobodys.some((prefix) => prefixContains(prefix, address)))
      refuse(`${key}: ${pair.public} is no address that others reach`, 'name a public one');
    return {
      public: address,
      container: readAddress(`${key}: the container's`, pair.container, address.family),
    };
  });
  for (const side of ['public', 'container'] as const) {
    const texts = pairs.map((pair) => formatAddress(pair[side]));
    const twice = texts.find((text, index) => texts.indexOf(text) !== index);
    if (twice) refuse(`oneToOne: ${twice} is in two pairs`, 'map it once');
  }
  return pairs;
}
