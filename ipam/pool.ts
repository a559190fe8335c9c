/**
 * From the `ipam` object of a config to a pool of addresses: the keys of the reference host-local plugin with its
 * meaning (containernetworking/plugins plugins/ipam/host-local/README.md), and two of ours: `exclude` and
 * `reservations`. The outer list of `ranges` says how many addresses a container gets, one from each set; a set's
 * ranges are its pool.
 */
import type { Address, Prefix } from '../lib/base/ip.ts';
import {
  bitsOf,
  firstAddress,
  formatAddress,
  formatPrefix,
  isLinkLocal,
  lastAddress,
  parseAddress,
  parsePrefix,
  prefixContains,
  sameAddress,
} from '../lib/base/ip.ts';
import { NetmoorError } from '../lib/base/errors.ts';
import type { RangeBounds, RangeConfig } from './range.ts';
import { badKey, readRange, readText, unusable } from './range.ts';
import type { Span } from './span.ts';
import { formatSpan, single, spanContains, spansOverlap, subtract } from './span.ts';

export interface Route {
  readonly dst: Prefix;
  readonly gw?: Address;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface RouteConfig extends Omit<Route, 'dst' | 'gw'> {
  readonly dst: string;
  readonly gw?: string | undefined;
}

/** The `ipam` object of a config, as far as it describes a pool; its JSON shape is checked by the plugin's schema. */
export interface PoolConfig extends RangeConfig {
  readonly ranges?: readonly (readonly RangeConfig[])[] | undefined;
  readonly routes?: readonly RouteConfig[] | undefined;
  readonly resolvConf?: string | undefined;
  readonly dataDir?: string | undefined;
  /** Never handed out: addresses, prefixes, or "first-last". */
  readonly exclude?: readonly string[] | undefined;
  /** Container name or id -> addresses kept for it alone. */
  readonly reservations?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface Range extends RangeBounds {
  /** What round robin may hand out of it, ascending: without network, broadcast, gateways, exclusions, reservations. */
  readonly free: readonly Span[];
}

export interface Pool {
  /** One address from each set; never empty, no set empty, one family in a set. */
  readonly sets: readonly (readonly Range[])[];
  readonly routes: readonly Route[];
  readonly reservations: ReadonlyMap<string, readonly Address[]>;
  /** Never handed out, not even on request: network, broadcast, gateway addresses and `exclude`. */
  readonly excluded: readonly Span[];
  readonly resolvConf?: string;
  readonly dataDir?: string;
}

/** RT_SCOPE_LINK (linux/rtnetlink.h), as the routes of CNI 1.1.0 give it. */
const SCOPE_LINK = 253;

/** Where further ranges come from. */
const EXTRA = 'runtimeConfig.ipRanges';

interface NamedRange extends RangeBounds {
  readonly key: string;
}

function readSets(config: PoolConfig, extraRanges: readonly (readonly RangeConfig[])[]): NamedRange[][] {
  const read = (root: string, sets: readonly (readonly RangeConfig[])[]): NamedRange[][] =>
    sets.map((set, outer) =>
      set.map((range, inner) => {
        const key = `${root}[${outer}][${inner}]`;
        return { key, ...readRange(key, range) };
      }),
    );
  const legacy = config.subnet ? [[{ key: 'ipam', ...readRange('ipam', config) }]] : [];
  return [...read(EXTRA, extraRanges), ...legacy, ...read('ipam.ranges', config.ranges ?? [])];
}

function bounds(range: RangeBounds): Span {
  return { first: range.start, last: range.end };
}

function checkFamilies(sets: readonly (readonly NamedRange[])[]): void {
  if (sets.length === 0) {
    const advice = 'add "ranges": [[{ "subnet": "10.22.0.0/16" }]]';
    throw new NetmoorError(
      'bad-config',
      'ipam: there is no "subnet" and no "ranges" to allocate from',
      advice,
    );
  }
  for (const [index, set] of sets.entries()) {
    const first = set[0];
    if (first === undefined) {
      throw new NetmoorError(
        'bad-config',
        `ipam: range set ${index} is empty`,
        'give it a range or remove it',
      );
    }
    const other = set.find((range) => range.subnet.address.family !== first.subnet.address.family);
    if (other !== undefined) {
      const problem = 'is of another family than the ranges before it in its set';
      throw badKey(
        `${other.key}.subnet`,
        formatPrefix(other.subnet),
        problem,
        'put each family in a set of its own',
      );
    }
  }
}

function checkOverlaps(ranges: readonly NamedRange[]): void {
  for (const [index, range] of ranges.entries()) {
    const other = ranges.slice(0, index).find((before) => spansOverlap(bounds(before), bounds(range)));
    if (other !== undefined) {
      const problem = `overlaps ${formatSpan(bounds(other))} of ${other.key}`;
      throw badKey(range.key, formatSpan(bounds(range)), problem, 'give each range addresses of its own');
    }
  }
}

/** One entry of `exclude`. */
function readExclusion(key: string, entry: string): Span {
  const advice = 'write an address, a prefix like "10.22.0.0/28" or a range like "10.22.0.1-10.22.0.9"';
  return readText(
    key,
    entry,
    (text) => {
      const dash = text.indexOf('-');
      if (dash >= 0) {
        const first = parseAddress(text.slice(0, dash).trim());
        const last = parseAddress(text.slice(dash + 1).trim());
        if (first.family !== last.family) throw badKey(key, entry, 'mixes two families', advice);
        if (first.value > last.value) throw badKey(key, entry, 'ends before it begins', advice);
        return { first, last };
      }
      if (!text.includes('/')) return single(parseAddress(text));
      const prefix = parsePrefix(text);
      return { first: firstAddress(prefix), last: lastAddress(prefix) };
    },
    advice,
  );
}

function readReservations(config: PoolConfig, ranges: readonly NamedRange[]): Map<string, Address[]> {
  const owners = new Map<string, string>();
  const reservations = new Map<string, Address[]>();
  const subnets = [...new Set(ranges.map((range) => formatPrefix(range.subnet)))].join(', ');
  const barred = ranges.flatMap((range) => [...unusable(range.subnet), single(range.gateway)]);
  for (const [identity, entries] of Object.entries(config.reservations ?? {})) {
    const addresses = entries.map((entry, index) => {
      const key = `ipam.reservations.${identity}[${index}]`;
      const advice = `write an address inside ${subnets}`;
      const address = readText(key, entry, parseAddress, advice);
      if (!ranges.some((range) => prefixContains(range.subnet, address))) {
        throw badKey(key, entry, `is in none of the subnets ${subnets}`, advice);
      }
      if (barred.some((span) => spanContains(span, address))) {
        throw badKey(key, entry, 'is a network, broadcast or gateway address', 'reserve another address');
      }
      const owner = owners.get(formatAddress(address));
      if (owner !== undefined) throw badKey(key, entry, `is also reserved for ${owner}`, 'reserve it once');
      owners.set(formatAddress(address), identity);
      return address;
    });
    reservations.set(identity, addresses);
  }
  return reservations;
}

/**
 * In IPv6 the network's own address is that of its routers (RFC 4291, 2.6.1). Whoever has no gateway to name in a range
 * of its own making, as macvlan-v6, names that of the network.
 */
function refuseUnusable({ key, subnet, gateway }: NamedRange): void {
  if (gateway.family === 6 || key.startsWith(EXTRA)) return;
  if (!unusable(subnet).some((span) => spanContains(span, gateway))) return;
  const problem = `is the network or broadcast address of ${formatPrefix(subnet)}`;
  throw badKey(`${key}.gateway`, formatAddress(gateway), problem, 'write the address of a router');
}

/**
 * A gateway elsewhere is as good as any where a route says that it is on the link, as the reference has it, and in IPv6
 * where its address says so; without, the container has no way to it, and the kernel refuses each route by it.
 */
function checkGateways(ranges: readonly NamedRange[], routes: readonly Route[]): void {
  for (const range of ranges) {
    refuseUnusable(range);
    const { key, subnet, gateway } = range;
    const onLink = routes.some(({ dst, scope }) => scope === SCOPE_LINK && prefixContains(dst, gateway));
    if (prefixContains(subnet, gateway) || isLinkLocal6(gateway) || onLink) continue;
    const [address, bits] = [formatAddress(gateway), bitsOf(gateway.family)];
    throw badKey(
      `${key}.gateway`,
      address,
      `is not in ${formatPrefix(subnet)}`,
      'write an address inside, or say that it is on the link by a route: ' +
        `{ "dst": "${address}/${bits}", "scope": ${SCOPE_LINK} }`,
    );
  }
}

function isLinkLocal6(address: Address): boolean {
  return address.family === 6 && isLinkLocal(address);
}

function readRoute(key: string, { dst, gw, ...attributes }: RouteConfig): Route {
  const destination = readText(`${key}.dst`, dst, parsePrefix, 'write a prefix, like "0.0.0.0/0"');
  if (gw === undefined || gw === '') return { dst: destination, ...attributes };
  const gateway = readText(`${key}.gw`, gw, parseAddress, 'write the address of a router');
  if (gateway.family !== destination.address.family) {
    throw badKey(
      `${key}.gw`,
      gw,
      `is of another family than dst "${dst}"`,
      'write a router of the same family',
    );
  }
  return { dst: destination, gw: gateway, ...attributes };
}

function openRange(
  { key, ...range }: NamedRange,
  excluded: readonly Span[],
  reserved: readonly Span[],
): Range {
  const usable = subtract(bounds(range), excluded);
  if (usable.length === 0) {
    const problem = 'holds no address to hand out: only network, broadcast, gateway or excluded ones';
    throw badKey(
      key,
      formatSpan(bounds(range)),
      problem,
      'widen rangeStart to rangeEnd, or shorten "exclude"',
    );
  }
  return { ...range, free: usable.flatMap((span) => subtract(span, reserved)) };
}

/**
 * Reads a pool. `extraRanges` (runtimeConfig.ipRanges) go before the config's own sets.
 * Throws NetmoorError('bad-config') naming the key, the value and what to write instead.
 */
export function parsePool(config: PoolConfig, extraRanges: readonly (readonly RangeConfig[])[] = []): Pool {
  const sets = readSets(config, extraRanges);
  checkFamilies(sets);
  const ranges = sets.flat();
  checkOverlaps(ranges);
  const excluded = [
    ...ranges.flatMap((range) => [...unusable(range.subnet), single(range.gateway)]),
    ...(config.exclude ?? []).map((entry, index) => readExclusion(`ipam.exclude[${index}]`, entry)),
  ];
  const reservations = readReservations(config, ranges);
  const reserved = [...reservations.values()].flat().map(single);
  const routes = (config.routes ?? []).map((route, index) => readRoute(`ipam.routes[${index}]`, route));
  checkGateways(ranges, routes);
  return {
    sets: sets.map((set) => set.map((range) => openRange(range, excluded, reserved))),
    routes,
    reservations,
    excluded,
    ...(config.resolvConf ? { resolvConf: config.resolvConf } : {}),
    ...(config.dataDir ? { dataDir: config.dataDir } : {}),
  };
}

/** Who an address is reserved for, if anybody. */
export function reservedFor(pool: Pool, address: Address): string | undefined {
  for (const [identity, addresses] of pool.reservations) {
    if (addresses.some((reserved) => sameAddress(reserved, address))) return identity;
  }
  return undefined;
}
