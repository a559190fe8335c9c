/**
 * macvlan-v6's configuration as a readonly value: keys checked against schemas/macvlan-v6.schema.json and
 * schemas/ipam.schema.json, then against each other, defaults filled in. The keys of the reference macvlan plugin keep
 * their meaning.
 */
import { formatMac, parseMac } from '../../lib/base/mac.ts';
import type { CniConfig } from '../../lib/cni/config.ts';
import { checkNameServers } from '../../lib/cni/dns.ts';
import type { CniRequest } from '../../lib/cni/environment.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { interfaceNameProblem } from '../../lib/cni/names.ts';
import { containerName, requestedMac, requestedPrefixes } from '../../lib/cni/requested.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import { isAtLeast } from '../../lib/cni/versions.ts';
import type { MooringConfig } from '../../lib/mooring/kind.ts';
import type { MacvlanMode } from '../../lib/netlink/macvlan.ts';
import { validate } from '../../schemas/compiled/macvlan-v6.js';
import type { MacvlanInput } from '../../schemas/compiled/macvlan-v6.js';
import macvlanSchema from '../../schemas/macvlan-v6.schema.json' with { type: 'json' };
import { readAddressing } from './addressing.ts';
import type { Addressing } from './addressing.ts';
import { reading, refuse } from './refuse.ts';

export type Dad = 'strict' | 'optimistic' | 'off';

export interface MacvlanConfig extends MooringConfig, Addressing {
  readonly askedOfRouters: Addressing['askedOfRouters'];
  readonly dhcp: Addressing['dhcp'];
  /** What names of containers are unique in, where the runtime tells it (K8S_POD_NAMESPACE); else ''. */
  readonly podNamespace: string;
  /** '' until complete() has looked for the way out. */
  readonly master: string;
  readonly linkInContainer: boolean;
  readonly mode: MacvlanMode;
  /** Undefined: the master's. */
  readonly mtu: number | undefined;
  readonly bcQueueLength: number | undefined;
  readonly dad: Dad;
  /** Milliseconds. */
  readonly timeout: number;
  readonly allowLinkLocalOnly: boolean;
  readonly hostAccess: boolean;
  readonly spoofCheck: 'on' | 'strict' | 'off';
  readonly allowRouterAdvertisements: boolean;
  readonly allowDhcpServer: boolean;
  /** What makes names and addresses differ between hosts; '' until complete(). */
  readonly machine: string;
  /** ifindex of the master; undefined until complete(), and for one in the container. */
  readonly masterIndex: number | undefined;
  /** The master's MAC address, which is the container's in the mode passthru; undefined as masterIndex is. */
  readonly masterMac: string | undefined;
}

const LOWEST_MTU = 68; // ETH_MIN_MTU (linux/if_ether.h)
const TIMEOUT_SECONDS = 10;

function checkKeys(raw: JsonObject): MacvlanInput {
  const input: unknown = raw;
  if (!validate(input)) throw schemaProblem(macvlanSchema, validate.errors, raw, '');
  return input;
}

/** What the runtime asks for counts before the configuration. */
function readMac(input: MacvlanInput, config: CniConfig, request: CniRequest): string | undefined {
  const requested = requestedMac(config, request);
  if (requested !== undefined || !input.mac) return requested;
  const { mac } = input;
  return reading('mac', () => formatMac(parseMac(mac)), 'correct the value or leave it out');
}

function checkValues(input: MacvlanInput, config: CniConfig): void {
  const problem = input.master ? interfaceNameProblem(input.master) : undefined;
  if (problem !== undefined) refuse(`master: ${problem}`, 'name an interface of the host');
  if (input.linkInContainer && !input.master)
    refuse('linkInContainer without master: nobody knows which interface', 'add "master"');
  if (input.linkInContainer && input.hostAccess)
    refuse('hostAccess is not possible with linkInContainer: the host is not on that LAN', 'remove one');
  const mode = input.mode || 'bridge';
  if (input.hostAccess && mode !== 'bridge')
    refuse(`hostAccess is not possible in mode ${mode}`, 'use mode bridge, or reach the host by a router');
  if (input.mtu && input.mtu < LOWEST_MTU)
    refuse(`mtu ${input.mtu} is below ${LOWEST_MTU}, the least the kernel allows`, 'raise it');
  if (config.runtimeConfig.portMappings.length > 0) {
    refuse(
      'ports are to be published, but the container is on the LAN itself',
      'reach its ports at its own address, and publish none',
    );
  }
  checkNameServers(config.dns);
}

/** What is left to read of a network without addresses says so in the result, which older versions cannot. */
function checkExpressible(config: CniConfig, { ipam, slaac, dhcp }: MooringConfig & Addressing): void {
  if (ipam.kind !== 'none' || slaac || dhcp || isAtLeast(config.cniVersion, '0.3.0')) return;
  refuse(
    `cniVersion ${config.cniVersion} cannot express a network without addresses`,
    'set "cniVersion" to 0.3.1 or later',
  );
}

function spoofCheckOf({ macspoofchk = true }: MacvlanInput): MacvlanConfig['spoofCheck'] {
  if (macspoofchk === 'strict') return 'strict';
  return macspoofchk ? 'on' : 'off';
}

/**
 * Reads and checks everything. Throws NetmoorError: 'unsupported-field' for a key nobody knows, naming the nearest
 * known one; 'bad-config' for all else, or 'bad-environment' when CNI_ARGS holds the mistake.
 */
export function readMacvlanConfig(config: CniConfig, request: CniRequest): MacvlanConfig {
  const input = checkKeys(config.raw);
  checkValues(input, config);
  const read: MacvlanConfig = {
    ...readAddressing(input, config, requestedPrefixes(config, request)),
    mac: readMac(input, config, request),
    containerName: containerName(config, request),
    podNamespace: request.args.get('K8S_POD_NAMESPACE') ?? '',
    portMappings: [],
    master: input.master ?? '',
    linkInContainer: input.linkInContainer ?? false,
    mode: input.mode || 'bridge',
    mtu: input.mtu || undefined,
    bcQueueLength: input.bcqueuelen || undefined,
    dad: input.dad ?? 'optimistic',
    timeout: (input.timeout ?? TIMEOUT_SECONDS) * 1000,
    allowLinkLocalOnly: input.allowLinkLocalOnly ?? false,
    hostAccess: input.hostAccess ?? false,
    spoofCheck: spoofCheckOf(input),
    allowRouterAdvertisements: input.allowRouterAdvertisements ?? false,
    allowDhcpServer: input.allowDhcpServer ?? false,
    machine: '',
    masterIndex: undefined,
    masterMac: undefined,
  };
  if (read.mode === 'passthru' && read.mac !== undefined) {
    refuse(
      `MAC address ${read.mac} is not possible in mode passthru: the container has that of the master`,
      'ask for none, or give it to the master',
    );
  }
  checkExpressible(config, read);
  return read;
}
