/** Addresses that the kernel would refuse, or that lead nowhere, whoever gives them. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatPrefix, networkOf, parsePrefix, prefixesOverlap } from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import type { AddressRecord } from '../../ipam/record.ts';

const LOWEST_MTU_IPV6 = 1280; // RFC 8200, section 5; below it the kernel has no IPv6 on an interface

/** No host has an address in there. */
const NOBODYS: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', 'which no host has an address of (RFC 1122, section 3.2.1.3)'],
  ['224.0.0.0/4', 'the multicast groups'],
  ['ff00::/8', 'the multicast groups'],
];

/** Addresses of a link alone: no router passes them on. */
const LINK_LOCAL = ['fe80::/10', 'which no router passes on'] as const;

interface Wanted {
  readonly isGateway: boolean;
  readonly mtu: number | undefined;
}

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

function requireSomebodys(prefix: Prefix, isGateway: boolean): void {
  const network = networkOf(prefix);
  for (const [text, whose] of isGateway ? [...NOBODYS, LINK_LOCAL] : NOBODYS)
    if (prefixesOverlap(network, parsePrefix(text)))
      refuse(`${formatPrefix(network)} is part of ${text}, ${whose}`, 'choose another subnet');
}

/** Throws NetmoorError('bad-config') naming what cannot be. */
export function refuseUnusable({ isGateway, mtu }: Wanted, addresses: readonly AddressRecord[]): void {
  for (const { address } of addresses) {
    const prefix = parsePrefix(address);
    requireSomebodys(prefix, isGateway);
    if (prefix.address.family === 6 && mtu !== undefined && mtu < LOWEST_MTU_IPV6)
      refuse(
        `mtu ${mtu} is below ${LOWEST_MTU_IPV6}, the least that IPv6 takes: there cannot be ${address}`,
        'raise it, or name IPv4 subnets alone in "ipam"',
      );
  }
}
