/** How full the networks' subnets are. Sizes are exact: those of IPv6 are beyond what a JavaScript number holds. */
import IPCIDR from 'ip-cidr';
import { formatPrefix, networkOf, parsePrefix } from '../lib/base/ip.ts';
import type { Prefix } from '../lib/base/ip.ts';
import type { AttachmentRecord, NetworkRecord } from '../ipam/record.ts';

/** schemas/cli-leases.schema.json */
export interface SubnetUsage {
  readonly network: string;
  readonly subnet: string;
  /** How many of them containers have; decimal digits, as `total`. */
  readonly taken: string;
  /** How many addresses the subnet has for containers; decimal digits. */
  readonly total: string;
}

/**
 * All addresses but the gateway's, the network's own and in IPv4 the broadcast address; /31 and /127 have neither of
 * those.
 */
export function capacity(prefix: Prefix): bigint {
  const size = BigInt(String(cidrOf(prefix).size));
  const unusable = size <= 2n ? 0n : prefix.address.family === 4 ? 2n : 1n;
  return size - unusable - 1n;
}

function cidrOf(prefix: Prefix): IPCIDR {
  return new IPCIDR(formatPrefix(networkOf(prefix)));
}

export function usageOf(
  networks: readonly NetworkRecord[],
  records: readonly AttachmentRecord[],
): SubnetUsage[] {
  return networks.flatMap(({ name, subnets }) => {
    const addresses = records
      .filter((record) => record.network === name)
      .flatMap((record) => record.addresses.map(({ address }) => parsePrefix(address).address));
    return subnets.map((subnet) => {
      const prefix = parsePrefix(subnet);
      const { family } = prefix.address;
      // Not cidr.contains(), which reads its own bounds again for every address.
      const [first, last] = cidrOf(prefix).toRange<bigint>({ type: 'bigInteger' });
      const taken = addresses.filter(
        (address) => address.family === family && first <= address.value && address.value <= last,
      ).length;
      return { network: name, subnet, taken: `${taken}`, total: capacity(prefix).toString() };
    });
  });
}

/** "253", or about "2^64" where the digits would say less. */
export function formatTotal(total: string): string {
  const digits = BigInt(total);
  return digits < 1_000_000_000n ? total : `2^${(digits + 2n).toString(2).length - 1}`;
}
