/**
 * bridge-nat's configuration as a readonly value: keys checked against schemas/bridge-nat.schema.json and
 * schemas/ipam.schema.json, then against each other, defaults filled in. The keys of the reference bridge plugin keep
 * their meaning.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Family } from '../../lib/base/ip.ts';
import type { CniConfig } from '../../lib/cni/config.ts';
import { checkNameServers } from '../../lib/cni/dns.ts';
import type { CniRequest } from '../../lib/cni/environment.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { interfaceNameProblem } from '../../lib/cni/names.ts';
import { readPortMappings } from '../../lib/cni/port-mappings.ts';
import type { PortMapping } from '../../lib/cni/port-mappings.ts';
import { containerName, requestedAddresses, requestedMac } from '../../lib/cni/requested.ts';
import type { Dns } from '../../lib/cni/result.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import { isAtLeast } from '../../lib/cni/versions.ts';
import { readIpamChoice } from '../../lib/mooring/ipam.ts';
import type { IpamChoice } from '../../lib/mooring/ipam.ts';
import type { MooringConfig } from '../../lib/mooring/kind.ts';
import { validate as validateBridge } from '../../schemas/compiled/bridge-nat.js';
import type { BridgeNatInput } from '../../schemas/compiled/bridge-nat.js';
import bridgeSchema from '../../schemas/bridge-nat.schema.json' with { type: 'json' };
import { fromAbsorbed } from './absorbed-keys.ts';
import { readBandwidth } from './bandwidth/bandwidth.ts';
import type { BandwidthLimits } from './bandwidth/bandwidth.ts';
import { readDhcpServer } from './dhcp-server/config.ts';
import type { DhcpServerConfig } from './dhcp-server/config.ts';
import { readEgress, requireRouter } from './egress/config.ts';
import type { EgressConfig } from './egress/config.ts';
import { isOnLan, readMembers } from './bridge/members.ts';
import type { Member } from './bridge/members.ts';
import { readIsolation } from './isolation.ts';
import type { Isolation } from './isolation.ts';
import { bridgeNameProblem } from './names.ts';
import { checkConditions, masqueradedFamilies, readNat } from './nat/config.ts';
import type { NatConfig } from './nat/config.ts';
import { readNdpProxy } from './bridge/ndp-proxy.ts';
import type { NdpProxy } from './bridge/ndp-proxy.ts';
import { readSourceRouting } from './inside/source-routing.ts';
import type { SourceRouting } from './inside/source-routing.ts';
import { readTuning } from './inside/tuning.ts';
import type { Tuning } from './inside/tuning.ts';
import { readVlans } from './bridge/vlans.ts';
import type { VlansWanted } from './bridge/vlans.ts';
import { notesOf } from './without-effect.ts';

export type IngressPolicy = 'open' | 'same-bridge' | 'isolated';

/** What the host is to the network. */
export interface Role {
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly ipMasq: boolean;
  /** The only family that is masqueraded; absent: both. */
  readonly ipMasqFamily?: Family;
}

export interface BridgeNatConfig extends MooringConfig, Role {
  /** Undefined: derived from the network's name. */
  readonly bridge: string | undefined;
  /** On a bridge that netmoor did not make: somebody else's network, with a gateway of its own. */
  readonly onForeignBridge: Role;
  readonly forceAddress: boolean;
  /** Undefined: the uplink's. */
  readonly mtu: number | undefined;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  readonly macspoofchk: boolean;
  readonly enabledad: boolean;
  readonly disableContainerInterface: boolean;
  readonly portIsolation: boolean;
  readonly keepBridge: boolean;
  readonly ingressPolicy: IngressPolicy;
  readonly isolation: Isolation;
  /** Undefined: no limits. */
  readonly bandwidth: BandwidthLimits | undefined;
  /** Undefined: nothing beyond masquerading and the runtime's ports. */
  readonly nat: NatConfig | undefined;
  /** Undefined: none. */
  readonly dhcpServer: DhcpServerConfig | undefined;
  /** Undefined: what leaves the network leaves as the host does. */
  readonly egress: EgressConfig | undefined;
  readonly members: readonly Member[];
  /** Undefined: none. */
  readonly ndpProxy: NdpProxy | undefined;
  /** Undefined: nothing. */
  readonly tuning: Tuning | undefined;
  /** Undefined: the container's routes are the usual ones. */
  readonly sourceRouting: SourceRouting | undefined;
  /** Undefined: the bridge does not tell any apart. */
  readonly vlans: VlansWanted | undefined;
  /** What has to be said of it at ADD. */
  readonly notes: readonly string[];
  /** Of the network's own configuration. */
  readonly dns: Dns;
}

const LOWEST_MTU = 68; // ETH_MIN_MTU (linux/if_ether.h)

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

/** A disabled interface has no addresses, so that it needs no `ipam`. */
function readIpam(config: CniConfig, disabled: boolean): IpamChoice {
  if (!disabled) return readIpamChoice(config);
  if (config.ipam !== undefined && readIpamChoice(config).kind !== 'none')
    refuse(
      'disableContainerInterface excludes ipam: a disabled interface has no addresses',
      'remove one of the two',
    );
  return { kind: 'none' };
}

function checkKeys(raw: JsonObject): BridgeNatInput {
  const input: unknown = fromAbsorbed(raw);
  if (!validateBridge(input)) throw schemaProblem(bridgeSchema, validateBridge.errors, raw, '');
  return input;
}

function checkValues(input: BridgeNatInput, config: CniConfig): void {
  if (input.hairpinMode && input.promiscMode)
    refuse('hairpinMode and promiscMode exclude each other', 'switch one of them off');
  const problem = input.bridge
    ? (interfaceNameProblem(input.bridge) ?? bridgeNameProblem(input.bridge))
    : undefined;
  if (problem !== undefined) refuse(`bridge: ${problem}`, 'choose another name, or leave it to netmoor');
  if (input.mtu && input.mtu < LOWEST_MTU)
    refuse(`mtu ${input.mtu} is below ${LOWEST_MTU}, the least the kernel allows`, 'raise it');
  checkNameServers(config.dns);
}

/**
 * The kernel has no route_localnet for IPv6: the answers to a redirected ::1 would be dropped, and a port that hangs is
 * worse than one that refuses, after which clients turn to 127.0.0.1.
 */
function refuseLoopback(mappings: readonly PortMapping[]): void {
  const loopback = mappings.find(({ hostIp }) => hostIp?.family === 6 && hostIp.value === 1n);
  if (loopback === undefined) return;
  refuse(
    `port ${loopback.hostPort} is to be published on ::1, which the kernel cannot redirect`,
    'publish it on 127.0.0.1',
  );
}

/** What a network without addresses cannot do is refused, not silently left undone. */
function checkLayer2(config: CniConfig, wanted: BridgeNatConfig): void {
  if (wanted.ipam.kind !== 'none') return;
  if (!isAtLeast(config.cniVersion, '0.3.0')) {
    refuse(
      `cniVersion ${config.cniVersion} cannot express a network without addresses`,
      'set "cniVersion" to 0.3.1 or later',
    );
  }
  if (wanted.portMappings.length > 0) {
    refuse(
      'ports are to be published, but the network gives no addresses',
      'give it an "ipam", or publish no ports',
    );
  }
  if (wanted.requestedAddresses.length > 0) {
    refuse('addresses are requested, but the network gives none', 'give it an "ipam", or request none');
  }
}

/**
 * On a foreign bridge, and on the host's own LAN, it is no gateway, and masquerades nothing, unless the config says so.
 */
function roleOf(input: BridgeNatInput, ipam: IpamChoice, foreign: boolean): Role {
  const routed = ipam.kind !== 'none';
  const isGateway = routed && (input.isDefaultGateway === true || (input.isGateway ?? !foreign));
  const automatic = ipam.kind === 'netmoor' && ipam.automatic;
  const families = masqueradedFamilies(input, isGateway && !foreign ? [4, 6] : []);
  const [only] = families;
  return {
    isGateway,
    isDefaultGateway: isGateway && (input.isDefaultGateway ?? automatic),
    ipMasq: routed && families.length > 0,
    ...(routed && only && families.length === 1 ? { ipMasqFamily: only } : {}),
  };
}

function withDefaults(
  input: BridgeNatInput,
  ipam: IpamChoice,
): Omit<BridgeNatConfig, keyof AttachmentWishes | 'dns' | 'egress'> {
  const members = readMembers(input);
  const role = roleOf(input, ipam, isOnLan(members));
  const ingressPolicy = input.ingressPolicy ?? 'open';
  return {
    bridge: input.bridge || undefined,
    ...role,
    onForeignBridge: roleOf(input, ipam, true),
    forceAddress: input.forceAddress ?? false,
    mtu: input.mtu || undefined,
    hairpinMode: input.hairpinMode ?? false,
    promiscMode: input.promiscMode ?? false,
    macspoofchk: input.macspoofchk ?? false,
    enabledad: input.enabledad ?? false,
    disableContainerInterface: input.disableContainerInterface ?? false,
    portIsolation: input.portIsolation ?? false,
    keepBridge: input.keepBridge ?? false,
    ingressPolicy,
    nat: readNat(input, ipam),
    members,
    ndpProxy: readNdpProxy(input, ipam),
    isolation: readIsolation(input, ipam),
    dhcpServer: readDhcpServer(input, ipam, role, ingressPolicy),
    tuning: readTuning(input),
    sourceRouting: readSourceRouting(input, ipam),
    vlans: readVlans(input),
    notes: notesOf(input),
    ipam,
  };
}

type AttachmentWishes = Pick<
  BridgeNatConfig,
  'mac' | 'requestedAddresses' | 'containerName' | 'portMappings' | 'bandwidth'
>;

/**
 * Reads and checks everything. Throws NetmoorError: 'unsupported-field' for a key nobody knows, naming the nearest
 * known one; 'bad-config' for all else, or 'bad-environment' when CNI_ARGS holds the mistake.
 */
export function readBridgeNatConfig(config: CniConfig, request: CniRequest): BridgeNatConfig {
  const input = checkKeys(config.raw);
  checkValues(input, config);
  const ipam = readIpam(config, input.disableContainerInterface ?? false);
  const wanted: BridgeNatConfig = {
    ...withDefaults(input, ipam),
    dns: config.dns,
    egress: readEgress(input, config, ipam),
    mac: requestedMac(config, request, input.mac),
    requestedAddresses: requestedAddresses(config, request),
    containerName: containerName(config, request),
    portMappings: readPortMappings(config.runtimeConfig.portMappings),
    bandwidth: readBandwidth(input, config.runtimeConfig.bandwidth),
  };
  checkLayer2(config, wanted);
  if (wanted.egress) requireRouter(wanted.isGateway);
  refuseLoopback(wanted.portMappings);
  checkConditions(wanted.nat, wanted.portMappings);
  return wanted;
}
