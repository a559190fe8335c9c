/**
 * The key `members`: interfaces of the host that become ports of the network's bridge, network cards and tap devices,
 * and what is said of them in a config, on record and by CHECK. What is done with them is in member-ports.ts.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { parseAddress } from '../../../lib/base/ip.ts';
import type { Family } from '../../../lib/base/ip.ts';
import { interfaceNameProblem } from '../../../lib/cni/names.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';

export interface Member {
  readonly interface: string;
  /**
   * Its addresses and routes become the bridge's, with its MAC address. Undefined: nobody said, and one with addresses
   * is refused.
   */
  readonly moveAddresses?: boolean;
  /** It may be missing. */
  readonly optional?: boolean;
}

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', `members: ${message}`, advice);
}

function checkName(name: string, bridge: string | undefined): void {
  const problem = interfaceNameProblem(name);
  if (problem !== undefined) refuse(problem, 'name interfaces of the host');
  if (/[*?[\]]/.test(name))
    refuse(
      `${quote(name)} is a pattern, and would take in whatever comes by that name`,
      'name each interface, with "optional": true where it may be missing',
    );
  if (name === bridge) refuse(`${name} is the bridge itself`, 'name another interface');
}

/** Throws NetmoorError('bad-config'). */
export function readMembers({ members = [], bridge }: BridgeNatInput): readonly Member[] {
  const read = members.map((member) => (typeof member === 'string' ? { interface: member } : member));
  const names = read.map((member) => member.interface);
  for (const name of names) checkName(name, bridge);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`${twice} is there twice`, 'name it once');
  const moving = read.filter(({ moveAddresses }) => moveAddresses);
  if (moving.length > 1)
    refuse(
      `the bridge can have the addresses of one interface, not of ${moving.map((each) => each.interface).join(' and ')}`,
      'set "moveAddresses" for one of them',
    );
  return read.map(({ interface: name, moveAddresses, optional }) => ({
    interface: name,
    ...(moveAddresses === undefined ? {} : { moveAddresses }),
    ...(optional ? { optional } : {}),
  }));
}

/** The host's own LAN: its router is the router, and the host a member like any other. */
export function isOnLan(members: readonly Member[]): boolean {
  return members.some(({ moveAddresses }) => moveAddresses);
}

/** The families in which `ipam` names a gateway: that of the LAN is to be known, not guessed. */
export function namedGateways(ipam: IpamChoice): ReadonlySet<Family> {
  if (ipam.kind !== 'netmoor') return new Set();
  const { pool } = ipam;
  const ranges = [pool, ...(pool.ranges ?? []).flat()];
  return new Set(ranges.flatMap(({ gateway }) => (gateway ? parseAddress(gateway).family : [])));
}
