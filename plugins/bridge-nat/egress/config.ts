/**
 * The key `egress`: by which interfaces alone the network's traffic leaves the host, or which proxy of the host takes
 * it. What cannot work, or would leak, is refused.
 */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { formatAddress, parseAddress } from '../../../lib/base/ip.ts';
import type { Address } from '../../../lib/base/ip.ts';
import type { CniConfig } from '../../../lib/cni/config.ts';
import { interfaceNameProblem } from '../../../lib/cni/names.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import { bridgeNameFor } from '../names.ts';

/** Tor's ports, and the addresses they are on; none: the network's gateways. */
export interface ProxyConfig {
  readonly transPort: number;
  readonly dnsPort: number;
  readonly addresses: readonly string[];
}

export interface EgressConfig {
  /** Names in order of preference; "tun*" for all that begin so; none: nothing leaves but through the proxy. */
  readonly interfaces: readonly string[];
  /** Gateways behind interfaces that lead to more than one. */
  readonly via: readonly string[];
  readonly proxy?: ProxyConfig;
  /** The routing table, once the host has been asked which is free. */
  readonly table?: number;
}

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', `egress: ${message}`, advice);
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

function checkName(name: string, bridge: string): void {
  if (name === '') refuse('interface: the name is empty', 'name one, or how their names begin: "tun*"');
  if (name === bridge)
    refuse(
      `${name} is the bridge of the network itself, by which nothing leaves`,
      'name an interface that leads out',
    );
  const bare = name.replace(/\*$/, '');
  if (bare === '') refuse('"*" is any interface, the real uplink, too', 'name one, or how their names begin');
  const problem = bare.includes('*') ? '"*" stands at the end of a name' : interfaceNameProblem(bare);
  if (problem !== undefined) refuse(`interface: ${problem}`, 'name one, or how their names begin: "tun*"');
}

function addressOf(text: string, key: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    return refuse(`${key}: ${errorText(error)}`, 'give an IPv4 or IPv6 address');
  }
}

/** What comes from a container may not have the host's loopback addresses (layout-filter.ts). */
function listening(text: string): string {
  const address = addressOf(text, 'tor.address');
  const loopback = address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
  if (loopback)
    refuse(
      `tor.address: containers do not reach ${text}`,
      'let tor listen on the gateway of the network, and leave "address" out',
    );
  return formatAddress(address);
}

function readProxy(tor: NonNullable<BridgeNatInput['egress']>['tor']): ProxyConfig | undefined {
  if (tor === undefined) return undefined;
  const { transPort, dnsPort, address } = tor;
  return { transPort, dnsPort, addresses: listOf(address).map(listening) };
}

/** A resolver on the host asks through the host's own uplink, whoever asks it. */
function requireNameServers({ dns, runtimeConfig, raw }: CniConfig, ipam: IpamChoice): void {
  const servers = [...(dns.nameservers ?? []), ...(runtimeConfig.dns.nameservers ?? [])];
  const own = ipam.kind === 'netmoor' && ipam.pool.resolvConf !== undefined;
  if (servers.length > 0 || own || ipam.kind === 'delegated') return;
  const name = String(raw['name'] ?? 'the network');
  refuse(
    `no name servers are given for ${name}, and those of the host would be asked through its own uplink`,
    'add "dns": { "nameservers": […] } with servers that are reached through the interface',
  );
}

function refuseTogether(raw: CniConfig['raw']): void {
  for (const [key, why] of [
    ['members', 'what else is plugged in leads past the host'],
    ['ndpProxy', 'the addresses of its containers would be answered for on another interface'],
    ['uplink', 'by which interfaces the network leaves is said by "egress" already'],
  ] as const)
    if (raw[key] !== undefined) refuse(`it excludes "${key}": ${why}`, 'remove one of the two');
}

/** Undefined: as the host goes. Throws NetmoorError('bad-config'). */
export function readEgress(
  input: BridgeNatInput,
  config: CniConfig,
  ipam: IpamChoice,
): EgressConfig | undefined {
  const { egress } = input;
  if (egress === undefined) return undefined;
  const interfaces = listOf(egress.interface);
  const proxy = readProxy(egress.tor);
  if ((interfaces.length === 0) === (proxy === undefined))
    refuse('it needs either "interface" or "tor"', 'give one of them');
  const bridge = input.bridge || bridgeNameFor(config.name);
  for (const name of interfaces) checkName(name, bridge);
  const via = listOf(egress.via).map((text) => formatAddress(addressOf(text, 'via')));
  if (ipam.kind === 'none') refuse('the network has no addresses', 'give it an "ipam", or remove "egress"');
  refuseTogether(config.raw);
  if (proxy === undefined) requireNameServers(config, ipam);
  return { interfaces, via, ...(proxy && { proxy }) };
}

/** Without a gateway on the bridge nothing comes by the host, and nothing is kept from leaving another way. */
export function requireRouter(isGateway: boolean, bridge?: string): void {
  if (isGateway) return;
  refuse(
    bridge === undefined
      ? 'the host has to be the gateway, which "isGateway": false says it is not'
      : `the host has to be the gateway on bridge ${bridge}, which netmoor did not make, and where it is none unasked`,
    'set "isGateway" to true, or remove "egress"',
  );
}
