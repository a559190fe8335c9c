/** Published ports (capability `portMappings`, CNI CONVENTIONS.md), checked and free of contradictions. */
import { NetmoorError, errorText } from '../base/errors.ts';
import { formatAddress, parseAddress, parsePrefix, prefixContains } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import type { TransportProtocol } from '../base/transport.ts';
import { quote } from './quote.ts';
import type { PortMappingInput } from './runtime-config.ts';

export type Protocol = TransportProtocol;

/** `count` consecutive ports from `hostPort` on, to as many from `containerPort` on. */
export interface PortMapping {
  readonly protocol: Protocol;
  /** Absent: every address of the host, in both families; 0.0.0.0 or ::, every address of that family. */
  readonly hostIp?: Address;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly count: number;
}

export const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'] satisfies Protocol[];

export function isProtocol(text: string): text is Protocol {
  return PROTOCOLS.includes(text);
}

function refuse(place: string, problem: string, advice: string): never {
  throw new NetmoorError('bad-config', `${place}${problem}`, advice);
}

function readProtocol(place: string, text: string): Protocol {
  const protocol = (text || 'tcp').toLowerCase();
  return isProtocol(protocol)
    ? protocol
    : refuse(place, `.protocol is ${quote(text)}`, `use one of ${PROTOCOLS.join(', ')}`);
}

function checkPorts(place: string, key: string, port: number, count: number): void {
  const last = port + count - 1;
  if (port >= 1 && last <= 65535) return;
  refuse(
    place,
    `.${key} ${count === 1 ? `is ${port}` : `runs from ${port} to ${last}`}`,
    'ports are 1 to 65535',
  );
}

/** Multicast groups, the broadcast address, and IPv4-mapped ones, which are never on the wire (RFC 4291, 2.5.5.2). */
const NO_HOSTS = ['224.0.0.0/4', '255.255.255.255/32', 'ff00::/8', '::ffff:0:0/96'];

/** Whether a packet may ever come for it as for an address of the host. */
export function canBeOfHost(address: Address): boolean {
  return !NO_HOSTS.some((prefix) => prefixContains(parsePrefix(prefix), address));
}

function readHostIp(place: string, text: string): Address {
  const advice = 'give an address of the host, or leave it out';
  let address: Address;
  try {
    address = parseAddress(text);
  } catch (error) {
    return refuse(place, `.hostIP: ${errorText(error)}`, advice);
  }
  return canBeOfHost(address)
    ? address
    : refuse(place, `.hostIP: ${quote(text)} is no address of a host`, advice);
}

function readMapping(place: string, input: PortMappingInput): PortMapping | undefined {
  const { hostPort = 0, containerPort = 0, protocol = '', hostIP = '', range, count = range ?? 1 } = input;
  // Kubernetes writes 0 for a port that the container has but the host does not publish.
  if (hostPort === 0) return undefined;
  if (count < 1) refuse(place, `.range is ${count}`, 'the number of ports is at least 1');
  checkPorts(place, 'hostPort', hostPort, count);
  checkPorts(place, 'containerPort', containerPort, count);
  const ports = { protocol: readProtocol(place, protocol), hostPort, containerPort, count };
  return hostIP === '' ? ports : { ...ports, hostIp: readHostIp(place, hostIP) };
}

function shareAddress(a: Address | undefined, b: Address | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return a.family === b.family && (a.value === 0n || b.value === 0n || a.value === b.value);
}

/** True when the two would receive packets for the same address and port of the host. */
export function mappingsConflict(a: PortMapping, b: PortMapping): boolean {
  const apart = a.hostPort + a.count <= b.hostPort || b.hostPort + b.count <= a.hostPort;
  return a.protocol === b.protocol && !apart && shareAddress(a.hostIp, b.hostIp);
}

/** "tcp 127.0.0.1:8080", "udp 5000-5009" */
export function describeMapping({ protocol, hostIp, hostPort, count }: PortMapping): string {
  const ports = count === 1 ? `${hostPort}` : `${hostPort}-${hostPort + count - 1}`;
  if (hostIp === undefined) return `${protocol} ${ports}`;
  const address = formatAddress(hostIp);
  return `${protocol} ${hostIp.family === 6 ? `[${address}]` : address}:${ports}`;
}

/** "tcp 127.0.0.1:8080 -> 80" */
export function describePublished(mapping: PortMapping): string {
  const { containerPort, count } = mapping;
  const inside = count === 1 ? `${containerPort}` : `${containerPort}-${containerPort + count - 1}`;
  return `${describeMapping(mapping)} -> ${inside}`;
}

/** As JSON: the items of `ports` in schemas/record.schema.json. */
export function portsJson(mappings: readonly PortMapping[]): object[] {
  return mappings.map(({ hostIp, ...ports }) =>
    hostIp === undefined ? ports : { ...ports, hostIp: formatAddress(hostIp) },
  );
}

/**
 * Ordered by port, neighbours are the only candidates but for ranges that reach far: those are kept while they last.
 */
function refuseConflicts(mappings: readonly PortMapping[]): void {
  const open: PortMapping[] = [];
  for (const mapping of mappings.toSorted((a, b) => a.hostPort - b.hostPort)) {
    const reaching = open.filter((other) => other.hostPort + other.count > mapping.hostPort);
    const other = reaching.find((candidate) => mappingsConflict(candidate, mapping));
    if (other !== undefined) {
      const both = `${describeMapping(other)} and ${describeMapping(mapping)}`;
      throw new NetmoorError(
        'bad-config',
        `port mappings ${both} are the same port of the host`,
        'publish it once',
      );
    }
    open.splice(0, open.length, ...reaching, mapping);
  }
}

/** The same for plugins that take single ports alone (portmap): of a range an entry for each port. */
export function singlePorts(inputs: readonly PortMappingInput[]): PortMappingInput[] {
  return inputs.flatMap(({ range, count = range ?? 1, ...input }) => {
    const { hostPort = 0, containerPort = 0 } = input;
    if (hostPort === 0) return [input];
    return Array.from({ length: count }, (_, offset) => ({
      ...input,
      hostPort: hostPort + offset,
      containerPort: containerPort + offset,
    }));
  });
}

/** Reads the capability; mappings without a host port are left out. Throws NetmoorError('bad-config'). */
export function readPortMappings(inputs: readonly PortMappingInput[]): PortMapping[] {
  const read = inputs.map((input, index) => readMapping(`runtimeConfig.portMappings[${index}]`, input));
  const mappings = read.filter((mapping) => mapping !== undefined);
  refuseConflicts(mappings);
  return mappings;
}
