/** Addresses that are given one by one, as the reference static plugin has them; held in the store like all others. */
import {
  bitsOf,
  formatAddress,
  formatPrefix,
  networkOf,
  parseAddress,
  parsePrefix,
} from '../../lib/base/ip.ts';
import type { Address, Prefix } from '../../lib/base/ip.ts';
import type { IpRanges } from '../../lib/cni/runtime-config.ts';
import type { IpamChoice } from '../../lib/mooring/ipam.ts';
import type { MacvlanInput } from '../../schemas/compiled/macvlan-v6.js';
import { reading, refuse } from './refuse.ts';

export interface Fixed {
  readonly prefix: Prefix;
  readonly gateway: Address | undefined;
}

export function readFixed({ addresses = [] }: MacvlanInput): Fixed[] {
  return addresses.map((entry, index) => {
    const key = `addresses[${index}]`;
    const { address, gateway } = typeof entry === 'string' ? { address: entry, gateway: undefined } : entry;
    const advice = 'write an address with its prefix length, "2001:db8::5/64"';
    const prefix = reading(key, () => parsePrefix(address), advice);
    const router = gateway ? reading(`${key}.gateway`, () => parseAddress(gateway), advice) : undefined;
    if (router !== undefined && router.family !== prefix.address.family)
      refuse(`${key}.gateway: ${gateway} is of another family than ${address}`, advice);
    return { prefix, gateway: router };
  });
}

/** Each as a range of one address, which the store lets nobody else have. */
function rangesOf(fixed: readonly Fixed[]): IpRanges {
  return fixed.map(({ prefix, gateway }) => {
    const { address, length } = prefix;
    if (length > bitsOf(address.family) - 2)
      refuse(
        `${formatPrefix(prefix)} leaves no room for a LAN`,
        "write the prefix length of the LAN's subnet",
      );
    const network = networkOf(prefix);
    const own = formatAddress(address);
    // The network's own address, which nobody can have, stands for no gateway at all.
    const router = formatAddress(gateway ?? network.address);
    return [{ subnet: formatPrefix(network), rangeStart: own, rangeEnd: own, gateway: router }];
  });
}

/** Puts fixed addresses beside the ranges of netmoor's own. */
export function withFixed(ipam: IpamChoice, fixed: readonly Fixed[]): IpamChoice {
  if (fixed.length === 0) return ipam;
  if (ipam.kind === 'delegated') {
    refuse(
      `addresses cannot be given beside those of the IPAM plugin ${ipam.type}`,
      'let that plugin give them, or use ranges of netmoor',
    );
  }
  const own = ipam.kind === 'netmoor' ? ipam : { pool: {}, extraRanges: [] };
  const extraRanges = [...own.extraRanges, ...rangesOf(fixed)];
  return { kind: 'netmoor', automatic: false, pool: own.pool, extraRanges };
}
