/**
 * How a person writes which networks a container gets and what it asks of them: one syntax for OCI annotations, the
 * hook's flags and `netmoor attach`. Names, capabilities and arguments are those of CNI CONVENTIONS.md.
 *
 *   NETWORKS  one or more NETWORK, separated by "," or white space; a KEY=VALUE there belongs to the NETWORK before it
 *   NETWORK   NAME[:PART[;PART]…]   front   front:eth1   front:eth1;ip=10.1.0.5;port=2222:22/tcp
 *                                   front:ip=10.1.0.5,mac=…
 *   PART      IFNAME, or KEY=VALUE with KEY one of ifname, ip, mac, port, alias, or an argument in capitals for
 *             CNI_ARGS
 *   PORT      [ADDRESS:]HOSTPORT[-LAST]:CONTAINERPORT[-LAST][/PROTOCOL]; [ADDRESS::]CONTAINERPORT[-LAST][/PROTOCOL]
 *             for free ports of the host, which lib/mooring/free-ports.ts chooses, 1024 at most; PROTOCOL is tcp by
 *             default
 */
import { NetmoorError, errorText } from '../../base/errors.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../../base/ip.ts';
import { formatMac, parseMac } from '../../base/mac.ts';
import { nearest } from '../../base/suggest.ts';
import type { JsonObject } from '../json.ts';
import { interfaceNameProblem, networkNameProblem } from '../names.ts';
import { PROTOCOLS, canBeOfHost, isProtocol, readPortMappings } from '../port-mappings.ts';
import { quote } from '../quote.ts';
import type { PortMappingInput } from '../runtime-config.ts';

/** Free ports of the host that one option may ask for: each is chosen, and published, by itself. */
const MOST_FREE_PORTS = 1024;
const LAST_PORT = 65535;
const MOST_NETWORKS = 64;

/** One network wanted for one container. */
export interface WantedNetwork {
  readonly name: string;
  /** Undefined: chosen by position, see `assignInterfaceNames`. */
  readonly ifname?: string;
  /** "10.1.0.5", or with a prefix length. */
  readonly ips: readonly string[];
  readonly mac?: string;
  /** As the capability `portMappings` wants them; a range of ports of the host is one. */
  readonly ports: readonly PortMappingInput[];
  readonly aliases: readonly string[];
  /** Further CNI_ARGS. */
  readonly args: ReadonlyMap<string, string>;
}

export interface NamedNetwork extends WantedNetwork {
  readonly ifname: string;
}

function refuse(place: string, problem: string, advice: string): never {
  throw new NetmoorError('bad-config', `${place}: ${problem}`, advice);
}

function checked<T>(place: string, advice: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    return refuse(place, errorText(error), advice);
  }
}

/** The items of a list separated by commas or white space; empty ones do not count. */
export function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== '');
}

/** One address, with or without a prefix length, in canonical form. Throws 'bad-config', as everything here. */
export function readIp(text: string, place: string): string {
  const read = (): string =>
    text.includes('/') ? formatPrefix(parsePrefix(text)) : formatAddress(parseAddress(text));
  return checked(place, 'write an address such as 10.1.0.5 or 10.1.0.5/24', read);
}

export function readMac(text: string, place: string): string {
  return checked(place, 'write it as 02:00:5e:10:00:01', () => formatMac(parseMac(text)));
}

export function readIfname(text: string, place: string): string {
  const problem = interfaceNameProblem(text);
  return problem === undefined ? text : refuse(place, problem, 'choose another interface name');
}

const PORT = /^(?:(.*):)?(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/;
const ADDRESS_AND_PORT = /^(?:(.*):)?(\d{1,5})(?:-(\d{1,5}))?$/;

interface PortRange {
  readonly first: number;
  readonly count: number;
}

function readRange(first: string, last: string | undefined, text: string, place: string): PortRange {
  const count = last === undefined ? 1 : Number(last) - Number(first) + 1;
  if (count < 1) refuse(place, `${quote(text)} runs backwards`, 'write the lower port first');
  const wrong = [Number(first), Number(last ?? first)].find((port) => port < 1 || port > LAST_PORT);
  if (wrong !== undefined)
    refuse(
      place,
      `${quote(text)} names port ${wrong}`,
      `ports are 1 to ${LAST_PORT}; leave the port of the host out for a free one`,
    );
  return { first: Number(first), count };
}

function readHostAddress(text: string, place: string): string {
  const bracketed = text.startsWith('[') && text.endsWith(']');
  if (!bracketed && text.includes(':'))
    refuse(place, `${quote(text)} before the ports is ambiguous`, 'write an IPv6 address in brackets');
  const bare = bracketed ? text.slice(1, -1) : text;
  const advice = 'write an address of the host, IPv6 in brackets';
  const address = checked(place, advice, () => parseAddress(bare));
  if (!canBeOfHost(address)) refuse(place, `${quote(text)} is no address of a host`, advice);
  return formatAddress(address);
}

/** The part before the container's ports: of "127.0.0.1:" the address, and any port of it. */
function readHost(
  text: string,
): { readonly address?: string; readonly first?: string; readonly last?: string } | undefined {
  if (text.endsWith(':') && text.length > 1) return { address: text.slice(0, -1) };
  const [, address, first, last] = ADDRESS_AND_PORT.exec(text) ?? [];
  if (first === undefined) return undefined;
  return { first, ...(address === undefined ? {} : { address }), ...(last === undefined ? {} : { last }) };
}

function readProtocol(protocol = 'tcp', text: string, place: string): string {
  if (isProtocol(protocol)) return protocol;
  return refuse(
    place,
    `${quote(text)} has the protocol ${quote(protocol)}`,
    `use one of ${PROTOCOLS.join(', ')}`,
  );
}

/**
 * One published port or range of ports; the host's port is 0 where any free one will do, of a range an entry for each
 * port then.
 */
export function readPort(text: string, place: string): PortMappingInput[] {
  const wrong = (): never =>
    refuse(
      place,
      `${quote(text)} is no published port`,
      'write HOSTPORT:CONTAINERPORT/PROTOCOL, such as 2222:22/tcp',
    );
  const whole = PORT.exec(text) ?? wrong();
  const inside = readRange(whole[2] ?? '', whole[3], text, place);
  const host = whole[1] === undefined ? {} : (readHost(whole[1]) ?? wrong());
  const outside = host.first === undefined ? undefined : readRange(host.first, host.last, text, place);
  if (outside !== undefined && outside.count !== inside.count)
    refuse(place, `${quote(text)} maps ${outside.count} ports to ${inside.count}`, 'give both sides as many');
  const protocol = readProtocol(whole[4], text, place);
  const hostIP = host.address === undefined ? {} : { hostIP: readHostAddress(host.address, place) };
  const { first: containerPort, count } = inside;
  if (outside !== undefined) {
    const range = count === 1 ? {} : { range: count };
    return [{ hostPort: outside.first, containerPort, protocol, ...hostIP, ...range }];
  }
  if (count > MOST_FREE_PORTS) refuseMany(count, place);
  const open = { hostPort: 0, protocol, ...hostIP };
  return Array.from({ length: count }, (_, offset) => ({ ...open, containerPort: containerPort + offset }));
}

function refuseMany(count: number, place: string): never {
  refuse(
    place,
    `${count} free ports are more than ${MOST_FREE_PORTS}`,
    'name the ports of the host, as in "8000-9999:8000-9999", or publish fewer',
  );
}

/** A list of published ports; the same port of the host twice is refused. */
export function readPorts(text: string, place: string): PortMappingInput[] {
  const ports = splitList(text).flatMap((item) => readPort(item, place));
  const free = ports.filter(({ hostPort }) => hostPort === 0).length;
  if (free > MOST_FREE_PORTS) refuseMany(free, place);
  checked(place, 'publish each port once', () => readPortMappings(ports));
  return ports;
}

const KEYS = ['ifname', 'ip', 'mac', 'port', 'alias'];

interface Draft {
  ifname?: string;
  mac?: string;
  readonly ips: string[];
  readonly ports: PortMappingInput[];
  readonly aliases: string[];
  readonly args: Map<string, string>;
}

function readPart(draft: Draft, part: string, place: string): void {
  const equals = part.indexOf('=');
  const [key, value] = equals < 0 ? ['ifname', part] : [part.slice(0, equals), part.slice(equals + 1)];
  if (value === '') refuse(place, `${quote(part)} has no value`, 'give it one, or leave it out');
  if (key === 'ifname') draft.ifname = readIfname(value, place);
  else if (key === 'mac') draft.mac = readMac(value, place);
  else if (key === 'ip') draft.ips.push(readIp(value, place));
  else if (key === 'port') draft.ports.push(...readPort(value, place));
  else if (key === 'alias') draft.aliases.push(value);
  else if (/^[A-Z][A-Z0-9_]*$/.test(key)) draft.args.set(key, value);
  else {
    const meant = nearest(key, KEYS);
    const known = `known are ${KEYS.join(', ')}, and arguments in capitals`;
    refuse(
      place,
      `unknown option ${quote(key)}`,
      meant === undefined ? known : `did you mean "${meant}"? ${known}`,
    );
  }
}

/** One NETWORK. */
export function readNetwork(text: string, place: string): WantedNetwork {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const problem = networkNameProblem(name);
  if (problem !== undefined)
    refuse(place, problem, 'write NAME or NAME:IFNAME, networks separated by commas');
  const draft: Draft = { ips: [], ports: [], aliases: [], args: new Map() };
  const parts = colon < 0 ? [] : text.slice(colon + 1).split(/[;,]/);
  for (const part of parts) readPart(draft, part, `${place} ${name}`);
  return { name, ...draft };
}

/** "front:ip=10.1.0.5,mac=…,back" has two networks: a name holds no "=". */
function splitNetworks(text: string): string[] {
  const networks: string[] = [];
  for (const item of splitList(text)) {
    const option = /^[a-zA-Z0-9_]+=/.test(item) ? networks.pop() : undefined;
    networks.push(option === undefined ? item : `${option}${option.includes(':') ? ';' : ':'}${item}`);
  }
  return networks;
}

/** NETWORKS, at least one. */
export function readNetworks(text: string, place: string): WantedNetwork[] {
  const networks = splitNetworks(text).map((item) => readNetwork(item, place));
  if (networks.length === 0)
    refuse(place, 'names no network', 'name one, or leave it out for the default network');
  if (networks.length > MOST_NETWORKS)
    refuse(place, `${networks.length} networks are more than ${MOST_NETWORKS}`, 'name fewer');
  return networks;
}

/**
 * Gives eth0, eth1, … in order to those without a name, past the names that are given and those that are `taken`
 * already. Throws when a name is given twice.
 */
export function assignInterfaceNames(
  networks: readonly WantedNetwork[],
  place: string,
  taken: ReadonlySet<string> = new Set(),
): NamedNetwork[] {
  const given = new Set<string>();
  for (const { ifname } of networks) {
    if (ifname !== undefined && given.has(ifname))
      refuse(place, `interface ${quote(ifname)} is wanted twice`, 'give each network another');
    if (ifname !== undefined) given.add(ifname);
  }
  let next = 0;
  const free = (): string => {
    while (given.has(`eth${next}`) || taken.has(`eth${next}`)) next++;
    return `eth${next++}`;
  };
  return networks.map((network) => ({ ...network, ifname: network.ifname ?? free() }));
}

/** What a network is asked for, by capability; only what is asked for is there. */
export function capabilitiesOf({ ips, mac, ports, aliases }: WantedNetwork): JsonObject {
  const capabilities: Record<string, JsonObject[string]> = {};
  if (ips.length > 0) capabilities['ips'] = [...ips];
  if (mac !== undefined) capabilities['mac'] = mac;
  if (ports.length > 0) capabilities['portMappings'] = ports.map((port) => ({ ...port }) as JsonObject);
  if (aliases.length > 0) capabilities['aliases'] = [...aliases];
  return capabilities;
}
