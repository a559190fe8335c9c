/** Addresses as text, spans, ranges and pools against sets of addresses listed by ip-cidr. Seeded. */
import IPCIDR from 'ip-cidr';
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix, networkOf, parseAddress } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import { parsePool } from '../../ipam/pool.ts';
import { clip, spanContains, spanSize, spansOverlap, subtract } from '../../ipam/span.ts';
import type { Span } from '../../ipam/span.ts';
import { randomFrom } from './ipam-ledger.ts';

const random = randomFrom(4632);
const below = (limit: number): number => Math.floor(random() * limit);

/** With many zeros, as addresses of IPv6 have them. */
function randomAddress(family: 4 | 6): Address {
  const groups = Array.from({ length: family === 4 ? 2 : 8 }, () => (random() < 0.5 ? 0 : below(65_536)));
  return { family, value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

/** A network of at most 64 addresses. */
function smallSubnet(): { text: string; addresses: string[] } {
  const family = random() < 0.5 ? 4 : 6;
  const length = (family === 4 ? 32 : 128) - 2 - below(5);
  const text = formatPrefix(networkOf({ address: randomAddress(family), length }));
  return { text, addresses: listed(text) };
}

/** As netmoor writes them. */
function listed(subnet: string): string[] {
  return new IPCIDR(subnet).toArray().map((text) => formatAddress(parseAddress(text)));
}

function pick<T>(items: readonly T[]): T {
  const item = items[below(items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** Two of the addresses, in their order. */
function pickSpan(addresses: readonly string[]): [number, number] {
  const ends = [below(addresses.length), below(addresses.length)];
  return [Math.min(...ends), Math.max(...ends)];
}

function spanOf(addresses: readonly string[], [from, to]: readonly [number, number]): Span {
  return { first: parseAddress(addresses[from] ?? ''), last: parseAddress(addresses[to] ?? '') };
}

/** One by one. */
function unfolded(spans: readonly Span[]): string[] {
  return spans.flatMap(({ first, last }) =>
    Array.from({ length: Number(last.value - first.value) + 1 }, (_, index) =>
      formatAddress({ family: first.family, value: first.value + BigInt(index) }),
    ),
  );
}

t.test('addresses as text', async (t) => {
  const differences: string[] = [];
  for (let round = 0; round < 2000; round++) {
    const address = randomAddress(random() < 0.5 ? 4 : 6);
    const text = formatAddress(address);
    const theirs = IPCIDR.createAddress(text);
    const number = IPCIDR.formatIP<bigint>(theirs, { type: 'bigInteger' });
    const mapped = address.family === 6 && address.value >> 32n === 0xffffn;
    const same = BigInt(String(number)) === address.value && (mapped || theirs.correctForm() === text);
    if (!same || parseAddress(text).value !== address.value) differences.push(text);
  }
  t.strictSame(differences, []);
});

t.test('spans are sets of addresses', async (t) => {
  const differences: string[] = [];
  for (let round = 0; round < 500; round++) {
    const { text, addresses } = smallSubnet();
    const [a, b, c] = [pickSpan(addresses), pickSpan(addresses), pickSpan(addresses)];
    const [one, two, three] = [a, b, c].map((ends) => spanOf(addresses, ends)) as [Span, Span, Span];
    const setOf = ([from, to]: readonly [number, number]): Set<string> =>
      new Set(addresses.slice(from, to + 1));
    const [first, second, third] = [setOf(a), setOf(b), setOf(c)];
    const both = first.intersection(second);
    const clipped = clip(one, two);
    const rest = first.difference(second).difference(third);
    const probe = pick(addresses);
    const same =
      spanSize(one) === BigInt(first.size) &&
      spansOverlap(one, two) === both.size > 0 &&
      unfolded(clipped ? [clipped] : []).join() === [...both].join() &&
      unfolded(subtract(one, [two, three])).join() === [...rest].join() &&
      spanContains(one, parseAddress(probe)) === first.has(probe);
    if (!same) differences.push(`${text} ${a} ${b} ${c}`);
  }
  t.strictSame(differences, []);
});

interface RandomPool {
  readonly config: Parameters<typeof parsePool>[0];
  /** What it may hand out. */
  readonly free: readonly string[];
}

function randomPool(): RandomPool {
  const { text: subnet, addresses } = smallSubnet();
  const v4 = !subnet.includes(':');
  const limits = random() < 0.5 ? pickSpan(addresses) : undefined;
  const routers = v4 ? addresses.slice(1, -1) : addresses.slice(1);
  const gateway = random() < 0.5 ? pick(routers) : addresses[1];
  const from = limits?.[0] ?? 1;
  const to = limits?.[1] ?? addresses.length - (v4 ? 2 : 1);
  const barred = new Set([gateway, addresses[0], ...(v4 ? [addresses.at(-1)] : [])]);
  const exclude: string[] = [];
  for (let times = below(3); times > 0; times--) {
    const ends = pickSpan(addresses);
    const block = `${pick(addresses)}/${(v4 ? 32 : 128) - below(3)}`;
    const [entry, out] = pick([
      [`${addresses[ends[0]]}-${addresses[ends[1]]}`, addresses.slice(ends[0], ends[1] + 1)],
      [block, listed(block)],
    ] as const);
    exclude.push(entry);
    for (const address of out) barred.add(address);
  }
  const range = limits && { rangeStart: addresses[from], rangeEnd: addresses[to] };
  return {
    config: { ranges: [[{ subnet, gateway, ...range }]], exclude },
    free: addresses.slice(from, to + 1).filter((address) => !barred.has(address)),
  };
}

t.test('pools hand out what is left of their subnets', async (t) => {
  const differences: string[] = [];
  let empty = 0;
  for (let round = 0; round < 500; round++) {
    const { config, free } = randomPool();
    let ours: string[];
    try {
      ours = unfolded(parsePool(config).sets[0]?.[0]?.free ?? []);
    } catch (error) {
      if (!(error instanceof NetmoorError) || error.kind !== 'bad-config') throw error;
      ours = [];
      empty++;
    }
    if (ours.join() !== free.join()) differences.push(JSON.stringify(config));
  }
  t.strictSame(differences, []);
  t.ok(empty > 10 && empty < 250, `some have nothing left (${empty} of 500)`);
});

t.test('ranges overlap when they have an address in common', async (t) => {
  const differences: string[] = [];
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const { text: subnet, addresses } = smallSubnet();
    const usable = addresses.slice(1, -1);
    const spans = [pickSpan(usable), pickSpan(usable)] as const;
    const [first, second] = spans.map(([from, to]) => new Set(usable.slice(from, to + 1))) as [
      Set<string>,
      Set<string>,
    ];
    // Outside, so that each of the ranges has something to hand out.
    const gateway = subnet.includes(':') ? 'fe80::1' : '192.0.2.1';
    const ranges = spans.map(([from, to]) => ({
      subnet,
      gateway,
      rangeStart: usable[from],
      rangeEnd: usable[to],
    }));
    let accepted = true;
    try {
      parsePool({ ranges: [ranges], routes: [{ dst: '192.0.2.1/32', scope: 253 }] });
    } catch (error) {
      if (!(error instanceof NetmoorError) || error.kind !== 'bad-config') throw error;
      accepted = false;
      refused++;
    }
    if (accepted !== first.isDisjointFrom(second)) differences.push(JSON.stringify(ranges));
  }
  t.strictSame(differences, []);
  t.ok(refused > 50 && refused < 250, `both occurred (${refused} of 300 overlap)`);
});
