/**
 * The key `dhcpServer`: whether the network leases addresses to members that netmoor does not plug in itself. What
 * cannot work is refused.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { interfaceNameProblem } from '../../../lib/cni/names.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import { parsePool } from '../../../ipam/pool.ts';
import type { Pool } from '../../../ipam/pool.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';

interface Gateway {
  readonly isGateway: boolean;
}

export interface DhcpServerConfig {
  readonly leaseSeconds: number;
  /** Undefined: as the pool has. */
  readonly ipv4: boolean | undefined;
  readonly ipv6: boolean | undefined;
  readonly ports: readonly string[];
}

const LEASE_SECONDS = 3600;
/** A prefix of another length is not for addresses that hosts make themselves (RFC 4862, section 5.5.3). */
export const SLAAC_LENGTH = 64;

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', `dhcpServer: ${message}`, advice);
}

function optionsOf(input: BridgeNatInput['dhcpServer']): DhcpServerConfig | undefined {
  if (input === undefined || input === false) return undefined;
  const { leaseSeconds = LEASE_SECONDS, ipv4, ipv6, ports = [] } = input === true ? {} : input;
  return { leaseSeconds, ipv4, ipv6, ports };
}

function checkIpam(ipam: IpamChoice): void {
  if (ipam.kind === 'netmoor') return;
  refuse(
    ipam.kind === 'none'
      ? 'the network has no addresses to lease'
      : "another IPAM's addresses cannot be leased",
    'give the network an "ipam" of netmoor\'s own (host-local, or none at all), or remove "dhcpServer"',
  );
}

/** In an automatic pool there are IPv4 addresses, and IPv6 ones where the host speaks it. */
function checkFamilies({ ipv4, ipv6 }: DhcpServerConfig, pool: Pool | undefined): void {
  if (ipv4 === false && ipv6 === false)
    refuse('both "ipv4" and "ipv6" are false', 'set "dhcpServer" to false');
  if (pool === undefined) return;
  const ranges = pool.sets.flat();
  const has4 = ranges.some(({ subnet }) => subnet.address.family === 4);
  const has6 = ranges.some(({ subnet }) => subnet.address.family === 6 && subnet.length === SLAAC_LENGTH);
  if (ipv4 === true && !has4)
    refuse('"ipv4" is true, but the pool has no IPv4 addresses', 'add an IPv4 range to "ipam"');
  if (ipv6 === true && !has6)
    refuse(
      '"ipv6" is true, but the pool has no IPv6 network of length 64, in which hosts can make themselves addresses',
      'add an IPv6 range with a subnet of length 64 to "ipam"',
    );
  if (!(has4 && ipv4 !== false) && !(has6 && ipv6 !== false))
    refuse(
      'there is nothing in the pool that it could lease or announce',
      'add an IPv4 range, or an IPv6 /64',
    );
}

function checkPorts(ports: readonly string[]): void {
  for (const port of ports) {
    const problem = interfaceNameProblem(port);
    if (problem !== undefined) refuse(`ports: ${problem}`, 'name ports of the bridge');
  }
}

/** Without an address of its own on the bridge it could neither be asked nor tell its clients a router. */
export function requireGateway({ isGateway }: Gateway, bridge?: string): void {
  if (isGateway) return;
  refuse(
    bridge === undefined
      ? 'the server needs an address on the bridge, which "isGateway": false does not give it'
      : `the server needs an address on bridge ${bridge}, which netmoor did not make, and where it takes none unasked`,
    bridge === undefined ? 'remove one of the two' : 'set "isGateway" to true, or remove "dhcpServer"',
  );
}

/** Undefined: the network has no server. Throws NetmoorError('bad-config'). */
export function readDhcpServer(
  input: BridgeNatInput,
  ipam: IpamChoice,
  role: Gateway,
  ingressPolicy: string,
): DhcpServerConfig | undefined {
  const options = optionsOf(input.dhcpServer);
  if (options === undefined) return undefined;
  checkIpam(ipam);
  requireGateway(role);
  if (ingressPolicy === 'isolated')
    refuse(
      '"ingressPolicy": "isolated" shuts off containers by their ports, and whoever leases an address plugs in himself',
      'use "same-bridge" or "open", or remove "dhcpServer"',
    );
  checkPorts(options.ports);
  const known = ipam.kind === 'netmoor' && !ipam.automatic;
  checkFamilies(options, known ? parsePool(ipam.pool, ipam.extraRanges) : undefined);
  return options;
}
