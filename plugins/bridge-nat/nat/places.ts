/** Where translation may lead. */
import {
  bitsOf,
  firstAddress,
  formatAddress,
  lastAddress,
  networkOf,
  parseAddress,
  parsePrefix,
  prefixContains,
  sameAddress,
} from '../../../lib/base/ip.ts';
import type { Address, Prefix } from '../../../lib/base/ip.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import { parsePool } from '../../../ipam/pool.ts';
import type { AddressRecord } from '../../../ipam/record.ts';
import { single, spanContains } from '../../../ipam/span.ts';
import type { Span } from '../../../ipam/span.ts';
import type { PublicAddress, StaticForward } from './mappings.ts';
import { refuse } from './refuse.ts';

interface Places {
  readonly forwards: readonly StaticForward[];
  readonly oneToOne: readonly PublicAddress[];
}

interface Known {
  readonly subnets: readonly Prefix[];
  /** What nobody is ever given. */
  readonly excluded: readonly Span[];
}

/** Of a pool that names its subnets; undefined where only the addresses themselves will tell. */
export function knownOf(ipam: IpamChoice): Known | undefined {
  if (ipam.kind !== 'netmoor' || ipam.automatic) return undefined;
  const { sets, excluded } = parsePool(ipam.pool, ipam.extraRanges);
  return { subnets: sets.flat().map(({ subnet }) => subnet), excluded };
}

/** From addresses as they were given: the ends of their networks, and their gateways. */
export function knownBy(addresses: readonly AddressRecord[]): Known {
  const held = addresses.map(({ address }) => parsePrefix(address));
  const gateways = addresses.flatMap(({ gateway }) => (gateway === undefined ? [] : parseAddress(gateway)));
  const wide = held.filter(({ address, length }) => length < bitsOf(address.family) - 1);
  const ends = wide.flatMap((prefix) =>
    prefix.address.family === 4 ? [firstAddress(prefix), lastAddress(prefix)] : [firstAddress(prefix)],
  );
  return { subnets: held.map(networkOf), excluded: [...gateways, ...ends].map(single) };
}

function targetsOf({ forwards, oneToOne }: Places): (readonly [string, Address])[] {
  return [
    ...forwards.map(({ to }) => ['forwards', to] as const),
    ...oneToOne.map(({ container }) => ['oneToOne', container] as const),
  ];
}

/** It would never come about, and nobody would be told. Throws NetmoorError('bad-config'). */
export function refuseUnheld(places: Places, { excluded }: Known): void {
  const unheld = targetsOf(places).find(([, address]) =>
    excluded.some((span) => spanContains(span, address)),
  );
  if (unheld)
    refuse(
      `${unheld[0]}: ${formatAddress(unheld[1])} is never a container's: it is a network, broadcast or gateway ` +
        'address, or excluded by the config',
      'name an address that a container is given',
    );
}

/** Where translation leads to is in the network, and what is public is not. Throws NetmoorError('bad-config'). */
export function checkPlaces(places: Places, { subnets }: Known): void {
  const { oneToOne } = places;
  const inside = (address: Address): boolean => subnets.some((subnet) => prefixContains(subnet, address));
  const stray = targetsOf(places).find(([, address]) => !inside(address));
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
