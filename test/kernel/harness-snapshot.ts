/**
 * A whole dump of a host, normalised so that two of them are equal exactly when nothing was left and nothing is
 * missing: links, addresses, routes, rules, permanent neighbours, queueing, the nftables ruleset (iptables-nft shows up
 * there too), sysctls, files, processes, and the same of the network inside every named namespace.
 *
 * Left out is what changes by itself: indexes and handles, counters, timers and lifetimes, link-local addresses,
 * carriers.
 */
import type { Place } from './harness-place.ts';

export type Snapshot = Readonly<Record<string, unknown>>;

export interface SnapshotOptions {
  /** Paths of files to leave out. */
  readonly ignoreFiles?: RegExp;
}

/** Keys of `ip -j -d` and `nft -j` that differ between two dumps of the same state. */
const VOLATILE = new Set([
  'ifindex',
  'link_index',
  'link_netnsid',
  'index',
  'handle',
  'packets',
  'bytes',
  'expires',
  'tentative',
  'optimistic',
  'valid_life_time',
  'preferred_life_time',
  'hello_timer',
  'tcn_timer',
  'topology_change_timer',
  'gc_timer',
  'hold_timer',
  'message_age_timer',
  'forward_delay_timer',
  'operstate',
]);

/** Flags that follow a link's carrier, up to a second later (net/core/link_watch.c). */
const OF_CARRIER = new Set<unknown>(['NO-CARRIER', 'LOWER_UP', 'M-DOWN', 'linkdown']);

/** Lists without an order of their own are sorted: those at the top (links, routes, …) and the elements of a set. */
const UNORDERED = new Set(['top', 'elem']);

const SECTION = '=====';

/** The sections of one network namespace. `$1` comes before their titles. */
const network = `
section() { echo; echo "${SECTION} $prefix$1"; shift; "$@"; }
prefix=$1
section links ip -j -d link show
section addresses ip -j address show
section routes4 ip -j -4 route show table all
section routes6 ip -j -6 route show table all
section rules4 ip -j -4 rule show
section rules6 ip -j -6 rule show
section neighbours ip -j neighbour show nud permanent
section proxies ip -j neighbour show proxy
section queueing tc -j qdisc show
section nft nft -j list ruleset
`;

/** The whole dump. `$1` is the script above: it also runs inside every namespace that can still be entered. */
const script = `
sh -c "$1" sh ''
conf=/proc/sys/net/ipv[46]/conf
echo; echo '${SECTION} files'; find /run /var/lib/cni /etc/cni /opt/cni -path /run/harness -prune -o -printf '%y %p %l\\n' 2>/dev/null
echo '${SECTION} sysctls'; grep -s . /proc/sys/net/ipv4/ip_forward $conf/all/* $conf/default/* $conf/uplink/*
echo '${SECTION} processes'
for process in /proc/[0-9]*; do tr '\\0\\n' '  ' < $process/cmdline && echo; done 2>/dev/null
echo '${SECTION} namespaces'; ls /run/netns
for name in $(ls /run/netns); do
  nsenter --net=/run/netns/$name true 2>/dev/null && nsenter --net=/run/netns/$name sh -c "$1" sh "inside $name: "
done
exit 0
`;

/** Dumps the host. Two dumps of the same state are deeply equal. */
export async function snapshot(host: Place, options: SnapshotOptions = {}): Promise<Snapshot> {
  const text = await host.must(['sh', '-c', script, 'sh', network]);
  const sections = text.split(new RegExp(`^${SECTION} `, 'm')).slice(1);
  return Object.fromEntries(
    sections.map((section) => {
      const end = section.indexOf('\n');
      const title = section.slice(0, end);
      return [title, normalised(title, section.slice(end + 1).trim(), options)];
    }),
  );
}

function normalised(title: string, body: string, options: SnapshotOptions): unknown {
  if (title.endsWith('nft')) return plain((JSON.parse(body) as { nftables: unknown }).nftables, 'ruleset');
  if (body.startsWith('[')) return plain(JSON.parse(body), 'top');
  const lines = body.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !isOwn(title, line) && !options.ignoreFiles?.test(line))
    .sort();
}

/** The dump's own shells are always new. */
function isOwn(title: string, line: string): boolean {
  return title === 'processes' && line.includes(SECTION);
}

function plain(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    const items = value
      .filter((item) => !(key === 'flags' && OF_CARRIER.has(item)))
      .filter((item) => !isObject(item) || !('metainfo' in item || isLinkLocal(item)))
      .map((item) => plain(item, 'item'));
    return UNORDERED.has(key) ? items.sort((a, b) => compare(JSON.stringify(a), JSON.stringify(b))) : items;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([name]) => !VOLATILE.has(name));
  return Object.fromEntries(entries.map(([name, item]) => [name, plain(item, name)]));
}

/**
 * An address, or a route to one, that the kernel gives every interface by itself, a second or more after that came up
 * (duplicate address detection): whether it is there yet says nothing. What is left behind shows by its link.
 */
function isLinkLocal({ local, dst }: Record<string, unknown>): boolean {
  return [local, dst].some((address) => typeof address === 'string' && address.startsWith('fe80:'));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** A dump without some of its sections. */
export function without(dump: Snapshot, ...titles: string[]): Snapshot {
  return Object.fromEntries(Object.entries(dump).filter(([title]) => !titles.includes(title)));
}
