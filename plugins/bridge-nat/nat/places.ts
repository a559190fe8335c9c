/** Where translation may lead. */
import { formatAddress, prefixContains, sameAddress } from '../../../lib/base/ip.ts';
import type { Address, Prefix } from '../../../lib/base/ip.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import { parsePool } from '../../../ipam/pool.ts';
import type { PublicAddress, StaticForward } from './mappings.ts';
import { refuse } from './refuse.ts';

interface Places {
  readonly forwards: readonly StaticForward[];
  readonly oneToOne: readonly PublicAddress[];
}

/** Of a pool that names its subnets; undefined where only the addresses themselves will tell. */
export function subnetsOf(ipam: IpamChoice): Prefix[] | undefined {
  if (ipam.kind !== 'netmoor' || ipam.automatic) return undefined;
  return parsePool(ipam.pool, ipam.extraRanges)
    .sets.flat()
    .map(({ subnet }) => subnet);
}

/** Where translation leads to is in the network, and what is public is not. Throws NetmoorError('bad-config'). */
export function checkPlaces({ forwards, oneToOne }: Places, subnets: readonly Prefix[]): void {
  const inside = (address: Address): boolean => subnets.some((subnet) => prefixContains(subnet, address));
  const targets = [
    ...forwards.map(({ to }) => ['forwards', to] as const),
    ...oneToOne.map(({ container }) => ['oneToOne', container] as const),
  ];
  const stray = targets.find(([, address]) => !inside(address));
  if (stray)
    refuse(
      `${stray[0]}: ${formatAddress(stray[1])} is in none of the network's subnets`,
      'name an address of the network',
    );
  const own = oneToOne.find((pair) => inside(pair.public));
  if (own)
    refuse(
      `oneToOne: ${formatAddress(own.public)} is in the network itself`,
      'name an address that is reached from outside',
    );
}

/** A port of a public address that is another's with all it has. Throws NetmoorError('bad-config'). */
export function refuseTorn({ forwards, oneToOne }: Places): void {
  for (const { hostIp, to, hostPort } of forwards) {
    const whole = oneToOne.find((pair) => hostIp !== undefined && sameAddress(pair.public, hostIp));
    if (whole === undefined || sameAddress(whole.container, to)) continue;
    refuse(
      `forwards: port ${hostPort} of ${formatAddress(whole.public)} is to go to ${formatAddress(to)}, ` +
        `and all of that address to ${formatAddress(whole.container)} (oneToOne)`,
      'forward a port of another address',
    );
  }
}
