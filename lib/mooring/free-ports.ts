/**
 * Ports of the host for whoever says only which port of the container is to be reached: of the range that the kernel
 * itself takes such from (ip_sysctl(7): ip_local_port_range without ip_local_reserved_ports), none that somebody has.
 *
 * A choice is no claim: that is the store's, when the plugin runs. Who was slower by a moment chooses again.
 */
import { NetmoorError } from '../base/errors.ts';
import { parseAddress } from '../base/ip.ts';
import { allCachedAttachments } from '../cni/lists/cache.ts';
import type { Ours } from '../cni/lists/attachment.ts';
import { addNetworks } from '../cni/lists/several.ts';
import type { Attached, Plan } from '../cni/lists/several.ts';
import { mappingsConflict, readPortMappings } from '../cni/port-mappings.ts';
import type { PortMapping } from '../cni/port-mappings.ts';
import { readRuntimeConfig } from '../cni/runtime-config.ts';
import type { PortMappingInput } from '../cni/runtime-config.ts';
import type { World } from '../cni/world.ts';
import type { BoundSocket } from '../netlink/inet-diag.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { holdingsOf } from '../nftables/holdings.ts';
import { allElements } from '../nftables/strays.ts';
import { readSysctl, readSysctlIfPresent } from '../system/sysctl.ts';
import { socketsNear } from './port-in-use.ts';
import { knownStores } from './stores.ts';

type Note = (line: string) => void;

/** Fewer where a port that was asked for may be the one that is taken. */
const ATTEMPTS = { open: 16, some: 3 };

export interface PortRange {
  readonly first: number;
  readonly last: number;
  /** Kept for others, though inside. */
  readonly reserved: readonly { readonly first: number; readonly last: number }[];
}

/** From the two settings' texts, "32768\t60999" and "8080,9000-9010"; pure. */
export function readPortRange(range: string, reserved: string): PortRange {
  const [first = 32_768, last = 60_999] = range.split(/\s+/).map(Number);
  const spans = reserved.split(',').filter((text) => text !== '');
  return {
    first,
    last,
    reserved: spans.map((text) => {
      const [from = 0, to = from] = text.split('-').map(Number);
      return { first: from, last: to };
    }),
  };
}

function ephemeralRange(): PortRange {
  return readPortRange(
    readSysctl('net', 'ipv4', 'ip_local_port_range'),
    readSysctlIfPresent('net', 'ipv4', 'ip_local_reserved_ports') ?? '',
  );
}

/** By which options write that any port of the host will do. To a runtime's mappings it means none at all. */
function isOpen({ hostPort = 0 }: PortMappingInput): boolean {
  return hostPort === 0;
}

function mappingsOf({ attachment, list }: Plan): readonly PortMappingInput[] {
  return readRuntimeConfig(attachment.capabilities, list.name).portMappings;
}

/**
 * The mappings with a port for each that has none, from `start` upwards in the range, going round once; pure. Throws
 * NetmoorError('pool-exhausted').
 */
export function fillIn(
  wanted: readonly PortMappingInput[],
  taken: readonly PortMapping[],
  { first, last, reserved }: PortRange,
  start: number,
): PortMappingInput[] {
  const size = last - first + 1;
  const given: PortMapping[] = [];
  let tried = 0;
  const choose = (input: PortMappingInput): PortMappingInput => {
    for (; tried < size; tried++) {
      const hostPort = first + ((start + tried) % size);
      if (reserved.some((span) => span.first <= hostPort && hostPort <= span.last)) continue;
      const chosen = { ...input, hostPort };
      const [mapping] = readPortMappings([chosen]);
      if (mapping === undefined || [...taken, ...given].some((other) => mappingsConflict(other, mapping)))
        continue;
      tried++;
      given.push(mapping);
      return chosen;
    }
    throw new NetmoorError(
      'pool-exhausted',
      `no port of the host from ${first} to ${last} is free for port ${input.containerPort} of the container`,
      'name the port of the host, as in "8080:80", or widen the sysctl net.ipv4.ip_local_port_range',
    );
  };
  return wanted.map((input) => (isOpen(input) ? choose(input) : input));
}

function ofSocket({ protocol, address, port }: BoundSocket): PortMapping {
  // One on :: may take IPv4 as well: not to be had is cheaper than to be had by two.
  const hostIp = address.value === 0n ? {} : { hostIp: address };
  return { protocol, ...hostIp, hostPort: port, containerPort: port, count: 1 };
}

/** What is published by other runtimes' plugins, whatever they do it with. */
function cachedMappings(world: World): PortMapping[] {
  return allCachedAttachments(world).flatMap(({ capabilities, network }) => {
    try {
      return readPortMappings(readRuntimeConfig(capabilities, network).portMappings);
    } catch (error) {
      if (error instanceof NetmoorError) return [];
      throw error;
    }
  });
}

/** What the elements in the kernel redirect, whether or not a store knows of it. */
function redirected(): PortMapping[] {
  const netfilter = NetlinkSocket.open('netfilter');
  try {
    return holdingsOf(allElements(netfilter)).forwards.map(({ container: _, ...forward }) => forward);
  } finally {
    netfilter.close();
  }
}

/** All that is taken in the range, by whomever; of a port that is had twice, twice. */
function takenPorts({ first, last }: PortRange, world: World, note: Note): PortMapping[] {
  const records = knownStores(world).flatMap(({ store }) => store.read((tx) => tx.attachments()));
  const stored = records.flatMap(({ ports }) =>
    ports.map(({ hostIp, ...port }) =>
      hostIp === undefined ? port : { ...port, hostIp: parseAddress(hostIp) },
    ),
  );
  const claim = { hostPort: first, count: last - first + 1 };
  const claims = (['tcp', 'udp', 'sctp'] as const).map((protocol) => ({ ...claim, protocol }));
  const sockets = socketsNear(claims, note).map(ofSocket);
  return [...stored, ...redirected(), ...cachedMappings(world), ...sockets];
}

function withPorts(plans: readonly Plan[], world: World, note: Note): Plan[] {
  const range = ephemeralRange();
  const wanted = plans.map(mappingsOf);
  const fixed = readPortMappings(wanted.flat().filter((input) => !isOpen(input)));
  const start = world.random(4).readUInt32BE(0);
  const filled = fillIn(wanted.flat(), [...takenPorts(range, world, note), ...fixed], range, start);
  return plans.map((plan, index) => {
    const own = filled.splice(0, wanted[index]?.length ?? 0);
    if (own.length === 0) return plan;
    const { attachment } = plan;
    const capabilities = { ...attachment.capabilities, portMappings: own.map((each) => ({ ...each })) };
    return { ...plan, attachment: { ...attachment, capabilities } };
  });
}

/**
 * Attaches as `addNetworks`, with a free port of the host for each mapping that names none. Its plans are those with
 * the ports that were taken.
 */
export async function addWithPorts(
  plans: readonly Plan[],
  world: World,
  ours: Ours,
  note: Note,
): Promise<Attached[]> {
  const wanted = plans.flatMap(mappingsOf);
  if (!wanted.some(isOpen)) return addNetworks(plans, world, ours, note);
  const attempts = wanted.every(isOpen) ? ATTEMPTS.open : ATTEMPTS.some;
  for (let attempt = 1; ; attempt++) {
    try {
      return await addNetworks(withPorts(plans, world, note), world, ours, note);
    } catch (error) {
      if (!(error instanceof NetmoorError) || error.kind !== 'port-taken' || attempt === attempts)
        throw error;
    }
  }
}

/** What was published, a port of the host for each, for whoever asked. */
export function publishedPorts(plan: Plan): PortMapping[] {
  return readPortMappings(mappingsOf(plan));
}
