/** Where addresses come from: routers, DHCP servers, netmoor's own ranges, another IPAM plugin, the configuration. */
import { bitsOf, prefixContains } from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import type { CniConfig } from '../../lib/cni/config.ts';
import { isJsonObject } from '../../lib/cni/json.ts';
import type { Json } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';
import type { DhcpWish } from '../../lib/mooring/kind.ts';
import { DHCP_IPAM, dhcp6Of } from '../../lib/mooring/ipam-type.ts';
import { poolSubnets, readIpamChoice } from '../../lib/mooring/ipam.ts';
import type { IpamChoice } from '../../lib/mooring/ipam.ts';
import type { MacvlanInput } from '../../schemas/compiled/macvlan-v6.js';
import { askedOfRouters, identifierFor, readIdentifier } from './asked.ts';
import type { InterfaceIdentifier } from './asked.ts';
import { readFixed, withFixed } from './fixed.ts';
import type { Fixed } from './fixed.ts';
import { refuse } from './refuse.ts';

export interface Addressing {
  readonly ipam: IpamChoice;
  readonly requestedAddresses: readonly Address[];
  /** Addresses that no range of the configuration is behind, and that have no gateway. */
  readonly withoutGateway: readonly Address[];
  /** Addresses by router advertisements. */
  readonly slaac: boolean;
  /**
   * What DHCPv6 servers are asked: addresses; all but addresses; what routers say is to be asked of them (RFC 4861,
   * section 4.2, the M and O flags).
   */
  readonly dhcp6: 'stateful' | 'stateless' | 'as-told' | undefined;
  /** A DHCP server is asked for an IPv4 address. */
  readonly dhcp4: boolean;
  readonly dhcp: DhcpWish | undefined;
  readonly identifier: InterfaceIdentifier;
  /** Asked for, and to come of what routers announce. */
  readonly askedOfRouters: readonly Address[];
}

const SOURCES = ['auto', 'slaac', 'dhcp6', 'pool', 'static', 'none'] as const;
type Source = (typeof SOURCES)[number];

function readSource(text: string): Source {
  const source = SOURCES.find((each) => each === text);
  return (
    source ?? refuse(`addressing: ${quote(text)} is none of ${SOURCES.join(', ')}`, 'write one, or a list')
  );
}

const TIMEOUT_SECONDS = 20;

/** What is asked of servers, and how: by the keys of an `ipam` of dhcp-ipam, or by the plugin's own. */
function readDhcp(
  input: MacvlanInput,
  { ipam = {} }: CniConfig,
  sources: readonly Source[],
): Pick<Addressing, 'dhcp' | 'dhcp4' | 'dhcp6'> {
  const delegated = ipam['type'] === DHCP_IPAM;
  const asked = delegated ? dhcp6Of(ipam) : undefined;
  if (asked !== undefined && sources.includes('none'))
    refuse(
      'addressing is none, but "ipam" asks DHCPv6 servers',
      'set its "ip" to 4, or leave addressing out',
    );
  const told = sources.includes('auto') ? 'as-told' : undefined;
  const dhcp6 = sources.includes('dhcp6') ? 'stateful' : (told ?? asked);
  const dhcp4 = delegated && ipam['ip'] !== 6;
  if (!dhcp4 && dhcp6 === undefined) return { dhcp: undefined, dhcp4, dhcp6 };
  const { type: _type, ip: _ip, timeout, ...keys } = delegated ? ipam : {};
  const seconds = timeout ?? input.timeout ?? TIMEOUT_SECONDS;
  return {
    dhcp: { ipam: keys, timeout: typeof seconds === 'number' ? seconds * 1000 : TIMEOUT_SECONDS * 1000 },
    dhcp4,
    dhcp6,
  };
}

/** All that a pool is written with, of whichever plugin; IPv6 has colons, IPv4 none. */
function hasIpv6({ ipam }: CniConfig): boolean {
  const speaksOfIpv6 = (value: Json | undefined): boolean => {
    if (Array.isArray(value)) return value.some((item: Json) => speaksOfIpv6(item));
    if (isJsonObject(value)) return speaksOfIpv6(value['subnet']) || speaksOfIpv6(value['address']);
    return typeof value === 'string' && value.includes(':');
  };
  return [ipam?.['subnet'], ipam?.['ranges'], ipam?.['addresses']].some(speaksOfIpv6);
}

function checkSources(
  sources: readonly Source[],
  config: CniConfig,
  ipam: IpamChoice,
  fixed: readonly Fixed[],
): void {
  if (sources.includes('auto') && (sources.includes('slaac') || sources.includes('dhcp6')))
    refuse(
      'addressing: "auto" leaves it to routers which of slaac and dhcp6 it is',
      'write "auto" alone, or ["slaac", "dhcp6"] for both whatever they say',
    );
  if (sources.includes('none') && sources.length > 1)
    refuse('addressing: "none" excludes all else', 'remove it, or the others');
  const fixed6 = fixed.some(({ prefix }) => prefix.address.family === 6);
  if (sources.includes('static') && !fixed6) {
    refuse(
      'addressing is static, but there is no IPv6 address',
      'add "addresses": ["2001:db8::5/64"], or let the runtime ask for one with its prefix length',
    );
  }
  if (!sources.includes('static') && fixed6)
    refuse('there are IPv6 "addresses", but addressing does not say "static"', 'add it, or leave it out');
  if (ipam.kind === 'delegated') return;
  if (config.ipam?.['type'] === DHCP_IPAM) {
    if (sources.includes('pool'))
      refuse('addressing is pool, but "ipam" is dhcp-ipam, which has none', 'write "dhcp6" instead');
    return;
  }
  const pool = hasIpv6(config) || config.runtimeConfig.ipRanges.flat().some((r) => r.subnet?.includes(':'));
  if (sources.includes('pool') && !pool)
    refuse(
      'addressing is pool, but "ipam" has no IPv6 range',
      'add "ranges": [[{ "subnet": "fd00:1::/64" }]]',
    );
  if (!sources.includes('pool') && pool)
    refuse('"ipam" has IPv6 ranges, but addressing does not say "pool"', 'add it, or leave it out');
}

function sourcesOf({ addressing }: MacvlanInput, config: CniConfig, fixed: readonly Fixed[]): Source[] {
  if (typeof addressing === 'string') return [readSource(addressing)];
  if (addressing !== undefined) return [...addressing];
  const implied: Source[] = [];
  if (dhcp6Of(config.ipam) === 'stateful') implied.push('dhcp6');
  if (fixed.some(({ prefix }) => prefix.address.family === 6)) implied.push('static');
  if (hasIpv6(config) || config.runtimeConfig.ipRanges.flat().some(({ subnet }) => subnet?.includes(':')))
    implied.push('pool');
  return implied.length > 0 ? implied : ['slaac'];
}

/** `ipam` alone. Absent it means none, as for the reference; a LAN's subnet is not netmoor's to pick. */
function choiceOf(config: CniConfig): IpamChoice {
  const { ipam, runtimeConfig } = config;
  if (ipam === undefined && runtimeConfig.ipRanges.length === 0) return { kind: 'none' };
  const choice = readIpamChoice(config);
  // Asked without the plugin, which is the engine's: see lib/mooring/dhcp.ts.
  if (choice.kind === 'delegated' && choice.type === DHCP_IPAM) return { kind: 'none' };
  if (choice.kind !== 'netmoor' || !choice.automatic) return choice;
  return refuse(
    'ipam names no range, and the addresses of a LAN cannot be picked',
    'add "ranges": [[{ "subnet": "2001:db8:1::/64" }]], or remove "ipam"',
  );
}

/** `requested`: what the runtime asks for, with the prefix lengths it gave. Throws NetmoorError('bad-config'). */
export function readAddressing(
  input: MacvlanInput,
  config: CniConfig,
  requested: readonly Prefix[],
): Addressing {
  const choice = choiceOf(config);
  const subnets = poolSubnets(choice);
  const known = ({ address }: Prefix): boolean => subnets.some((subnet) => prefixContains(subnet, address));
  const isWhole = ({ address, length }: Prefix): boolean => length === bitsOf(address.family);
  const delegated = choice.kind === 'delegated';
  const onlyRouters = delegated && !hasIpv6(config) && sourcesOf(input, config, []).includes('slaac');
  const free = requested.filter((prefix) =>
    delegated ? onlyRouters && isWhole(prefix) && prefix.address.family === 6 : !known(prefix),
  );
  const whole = free.filter(isWhole);
  const added = free.filter((prefix) => !whole.includes(prefix));
  const fixed = [...readFixed(input), ...added.map((prefix) => ({ prefix, gateway: undefined }))];
  const extra = fixed.filter(({ prefix }) => !known(prefix));
  const sources = sourcesOf(input, config, fixed);
  checkSources(sources, config, choice, fixed);
  const slaac = sources.includes('slaac') || sources.includes('auto');
  const asked = askedOfRouters(whole, slaac);
  return {
    ipam: withFixed(choice, extra),
    requestedAddresses: [
      ...requested.filter((prefix) => !free.includes(prefix)).map(({ address }) => address),
      ...fixed.map(({ prefix }) => prefix.address),
    ],
    withoutGateway: extra.flatMap(({ prefix, gateway }) => (gateway === undefined ? [prefix.address] : [])),
    slaac,
    ...readDhcp(input, config, sources),
    identifier: identifierFor(readIdentifier(input.interfaceIdentifier || 'eui64'), asked),
    askedOfRouters: asked,
  };
}
