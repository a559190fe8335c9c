/**
 * Which subnets share addresses, in words for people. Off the hot path and imported where somebody is answered: ip-cidr
 * costs milliseconds to load.
 */
import IPCIDR from 'ip-cidr';
import { formatAddress } from '../lib/base/ip.ts';

/** A subnet, and whose it is. */
export interface OwnedSubnet {
  readonly network: string;
  /** Address and prefix length. */
  readonly subnet: string;
}

export interface Overlap {
  /** The larger first. */
  readonly between: readonly [OwnedSubnet, OwnedSubnet];
  /** What both have: the whole of the smaller one. */
  readonly first: string;
  readonly last: string;
  /** How many addresses that is; decimal digits. */
  readonly addresses: string;
}

interface Block extends OwnedSubnet {
  readonly size: string;
  readonly v6: boolean;
  readonly first: bigint;
  readonly last: bigint;
}

function blockOf({ network, subnet }: OwnedSubnet): Block {
  const cidr = new IPCIDR(subnet);
  const [first, last] = cidr.toRange<bigint>({ type: 'bigInteger' });
  return { network, subnet, size: String(cidr.size), v6: subnet.includes(':'), first, last };
}

function overlapOf(larger: Block, smaller: Block): Overlap {
  const family = smaller.v6 ? 6 : 4;
  const owned = ({ network, subnet }: Block): OwnedSubnet => ({ network, subnet });
  return {
    between: [owned(larger), owned(smaller)],
    first: formatAddress({ family, value: smaller.first }),
    last: formatAddress({ family, value: smaller.last }),
    addresses: smaller.size,
  };
}

/** The subnets of different networks that share addresses: one of them lies in the other, as prefixes do. */
export function overlaps(subnets: readonly OwnedSubnet[]): Overlap[] {
  const blocks = subnets.map(blockOf);
  // By their beginnings, the larger first: what overlaps one block follows it directly.
  blocks.sort((a, b) => Number(a.v6) - Number(b.v6) || compare(a.first, b.first) || compare(b.last, a.last));
  return blocks.flatMap((larger, index) => {
    const within: Block[] = [];
    for (const next of blocks.slice(index + 1)) {
      if (next.v6 !== larger.v6 || next.first > larger.last) break;
      if (next.network !== larger.network) within.push(next);
    }
    return within.map((smaller) => overlapOf(larger, smaller));
  });
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** "10.1.2.0/24 of web lies in 10.1.0.0/16 of shop: 256 addresses, 10.1.2.0-10.1.2.255" */
export function formatOverlap({ between: [larger, smaller], first, last, addresses }: Overlap): string {
  const relation = larger.subnet === smaller.subnet ? 'is' : 'lies in';
  const where = `${smaller.subnet} of ${smaller.network} ${relation} ${larger.subnet} of ${larger.network}`;
  return `${where}: ${addresses} addresses, ${first}-${last}`;
}
