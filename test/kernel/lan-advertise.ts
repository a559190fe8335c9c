/**
 * Router advertisements made by hand (RFC 4861 4.2, 4.6), for what no daemon would say: options of any length, lifetime
 * and flags, and more of them than anybody ought to send.
 */
import type { Place } from './harness.ts';

export interface PrefixOption {
  /** `2001:db8:50::/64`: any length from 0 to 128, and beyond: it is sent as it is. */
  readonly prefix: string;
  /** Seconds; 0xffffffff is for ever. */
  readonly valid?: number;
  readonly preferred?: number;
  readonly onLink?: boolean;
  readonly autonomous?: boolean;
}

export interface RouteOption {
  readonly prefix: string;
  readonly lifetime?: number;
  /** RFC 4191 2.1. */
  readonly preference?: 'low' | 'medium' | 'high';
}

export interface Advertisement {
  /** Seconds for which the sender is a default router; 1800 when absent. */
  readonly routerLifetime?: number;
  readonly hopLimit?: number;
  readonly managed?: boolean;
  readonly other?: boolean;
  readonly preference?: 'low' | 'medium' | 'high';
  /** Milliseconds; 0 for unspecified. */
  readonly reachable?: number;
  readonly retransmit?: number;
  readonly prefixes?: readonly PrefixOption[];
  readonly routes?: readonly RouteOption[];
  readonly mtu?: number;
  /** RFC 8106 5.1 and 5.2. */
  readonly rdnss?: { readonly servers: readonly string[]; readonly lifetime?: number };
  readonly dnssl?: { readonly domains: readonly string[]; readonly lifetime?: number };
  /** Source link-layer address. */
  readonly mac?: string;
  /** Appended as they are: malformed ones too. */
  readonly raw?: readonly Uint8Array[];
}

const HOUR = 3600;
const PREFERENCE = { medium: 0, high: 0x08, low: 0x18 } as const;
const UNIT = 8;

/** The 16 bytes of an IPv6 address in any text form without an embedded IPv4 address. */
export function address6(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => 0);
  const all = tail === undefined ? front : [...front, ...zeros, ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Type, length in units of 8 bytes, body padded with zeros. */
function option(type: number, body: Uint8Array): Buffer {
  const units = Math.ceil((body.length + 2) / UNIT);
  const bytes = Buffer.alloc(units * UNIT);
  bytes.set([type, units]);
  bytes.set(body, 2);
  return bytes;
}

function seconds(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function split(prefix: string): [address: Buffer, length: number] {
  const [address = '', length = ''] = prefix.split('/');
  return [address6(address), Number(length)];
}

function prefixOption({ prefix, valid = HOUR, preferred = valid, onLink, autonomous }: PrefixOption): Buffer {
  const [address, length] = split(prefix);
  const flags = (onLink === false ? 0 : 0x80) | (autonomous === false ? 0 : 0x40);
  const body = [Buffer.from([length, flags]), seconds(valid), seconds(preferred), Buffer.alloc(4), address];
  return option(3, Buffer.concat(body));
}

function routeOption({ prefix, lifetime = HOUR, preference = 'medium' }: RouteOption): Buffer {
  const [address, length] = split(prefix);
  return option(
    24,
    Buffer.concat([Buffer.from([length, PREFERENCE[preference]]), seconds(lifetime), address]),
  );
}

/** RFC 1035 3.1: labels with their lengths, ended by an empty one. */
function domain(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

function options(from: Advertisement): Buffer[] {
  const { mac, mtu, prefixes = [], routes = [], rdnss, dnssl, raw = [] } = from;
  const lifetime = (given: { readonly lifetime?: number }) => [
    Buffer.alloc(2),
    seconds(given.lifetime ?? HOUR),
  ];
  return [
    ...(mac === undefined ? [] : [option(1, Buffer.from(mac.replaceAll(':', ''), 'hex'))]),
    ...(mtu === undefined ? [] : [option(5, Buffer.concat([Buffer.alloc(2), seconds(mtu)]))]),
    ...prefixes.map(prefixOption),
    ...routes.map(routeOption),
    ...(rdnss === undefined
      ? []
      : [option(25, Buffer.concat([...lifetime(rdnss), ...rdnss.servers.map(address6)]))]),
    ...(dnssl === undefined
      ? []
      : [option(31, Buffer.concat([...lifetime(dnssl), ...dnssl.domains.map(domain)]))]),
    ...raw.map((bytes) => Buffer.from(bytes)),
  ];
}

/** One ICMPv6 message; the checksum is left to the kernel that sends it. */
export function advertisement(from: Advertisement): Buffer {
  const head = Buffer.alloc(16);
  const flags = (from.managed ? 0x80 : 0) | (from.other ? 0x40 : 0) | PREFERENCE[from.preference ?? 'medium'];
  head.set([134, 0, 0, 0, from.hopLimit ?? 64, flags]);
  head.writeUInt16BE(from.routerLifetime ?? HOUR / 2, 6);
  head.writeUInt32BE(from.reachable ?? 0, 8);
  head.writeUInt32BE(from.retransmit ?? 0, 12);
  return Buffer.concat([head, ...options(from)]);
}

/**
 * As many prefixes as asked for, 2001:db8:P000::/64 and on, in as many messages as it takes: receivers drop neighbour
 * discovery in fragments (RFC 6980), and 44 options fill 1,500 bytes.
 */
export function manyPrefixes(
  count: number,
  common: Advertisement & Omit<PrefixOption, 'prefix'> = {},
): Buffer[] {
  const { valid = HOUR, preferred = valid, onLink = true, autonomous = true, ...message } = common;
  const all = Array.from({ length: count }, (_, i) => ({
    ...{ prefix: `2001:db8:${(0x1000 + i).toString(16)}::/64`, valid, preferred, onLink, autonomous },
  }));
  const per = 44;
  return Array.from({ length: Math.ceil(count / per) }, (_, i) =>
    advertisement({ ...message, prefixes: all.slice(i * per, (i + 1) * per) }),
  );
}

export interface SendOptions {
  /** All nodes when absent. */
  readonly destination?: string;
  /** Hop limit of the packet: receivers drop any but 255 (RFC 4861 6.1.2). */
  readonly hops?: number;
  /** The sender's own address to send from; the kernel's choice, a link-local one, when absent. */
  readonly source?: string;
  /** Messages in all, taken from the given ones in turn; each once when absent. */
  readonly count?: number;
  readonly intervalMs?: number;
}

/** Lines of hexadecimal messages on standard input; a raw ICMPv6 socket lets the kernel fill in the checksum. */
const SEND = `use Socket qw(:all); use Time::HiRes qw(sleep);
  my ($index, $to, $hops, $from, $count, $interval) = @ARGV;
  socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
  setsockopt($s, 41, 18, pack("i", $hops)) or die "multicast hops: $!";
  setsockopt($s, 41, 16, pack("i", $hops)) or die "hops: $!";
  setsockopt($s, 41, 17, pack("i", $index)) or die "interface: $!";
  my $scope = sub { pack_sockaddr_in6(0, inet_pton(AF_INET6, $_[0]), $index) };
  if ($from ne "") { bind($s, $scope->($from)) or die "bind: $!" }
  my @messages = map { chomp; pack "H*", $_ } <STDIN>;
  for my $i (0 .. ($count || @messages) - 1) {
    sleep $interval / 1000 if $i > 0 && $interval > 0;
    send($s, $messages[$i % @messages], 0, $scope->($to)) or die "send: $!";
  }`;

/** Sends messages from a place's interface; resolves when the last is sent. */
export async function sendAdvertisements(
  place: Place,
  messages: readonly Buffer[],
  { destination = 'ff02::1', hops = 255, source = '', count = 0, intervalMs = 0 }: SendOptions = {},
  ifname = 'eth0',
): Promise<void> {
  const [link] = await place.ip('link', 'show', 'dev', ifname);
  const argv = [link?.['ifindex'], destination, hops, source, count, intervalMs].map(String);
  const input = messages.map((message) => `${message.toString('hex')}\n`).join('');
  await place.must(['perl', '-e', SEND, '--', ...argv], {
    input,
    deadlineMs: 30_000 + count * (intervalMs + 1),
  });
}
