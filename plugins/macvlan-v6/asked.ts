/** Addresses by router advertisements that somebody chooses, of which only the lower half can be chosen. */
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import { quote } from '../../lib/cni/quote.ts';
import { reading, refuse } from './refuse.ts';

/** How the lower 64 bits of an address come about: of the MAC, of a secret and the prefix, or as given. */
export type InterfaceIdentifier = 'eui64' | 'stable-privacy' | Address;

export function readIdentifier(text: string): InterfaceIdentifier {
  if (text === 'eui64' || text === 'stable-privacy') return text;
  const advice = 'write "eui64", "stable-privacy", or the lower half of an address, "::5"';
  const address = reading('interfaceIdentifier', () => parseAddress(text), advice);
  if (address.family === 6 && address.value > 0n && address.value >> 64n === 0n) return address;
  return refuse(`interfaceIdentifier: ${quote(text)} is not the lower half of an IPv6 address`, advice);
}

/** Without a length, and in no range: only routers can give it, and only IPv6. */
export function askedOfRouters(whole: readonly Prefix[], slaac: boolean): Address[] {
  const lost = whole.find(({ address }) => !slaac || address.family === 4);
  if (lost === undefined) return whole.map(({ address }) => address);
  const text = formatAddress(lost.address);
  const length = lost.address.family === 4 ? 24 : 64;
  return refuse(
    `requested address ${text} is in no range of "ipam"`,
    `ask for it with its length: ${text}/${length}`,
  );
}

/**
 * Whoever asks routers for an address chooses its lower half. One by RFC 7217 cannot be chosen, but a runtime that
 * attaches a container anew asks for the addresses that it had.
 */
export function identifierFor(
  configured: InterfaceIdentifier,
  asked: readonly Address[],
): InterfaceIdentifier {
  const [first, ...others] = asked.map((address) => address.value & ((1n << 64n) - 1n));
  if (first === undefined || configured === 'stable-privacy') return configured;
  if (first > 0n && others.every((other) => other === first)) return { family: 6, value: first };
  return refuse(
    `requested addresses ${asked.map(formatAddress).join(', ')} have no interface identifier in common`,
    'an address by router advertisements has the same lower half, not zero, in every prefix',
  );
}
