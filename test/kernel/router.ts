/** A place that sends router advertisements of the test's making (RFC 4861 4.2, 4.6; RFC 8106 5). */
import { addressBytes, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { Place } from './harness.ts';
import { linkLocal } from './rogue-router.ts';

/** Sends the ICMPv6 message of hexadecimal digits to all nodes; the kernel fills in the checksum. */
const SEND = `use Socket qw(:all);
  my ($index, $message) = @ARGV;
  socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
  setsockopt($s, 41, 18, pack("i", 255)) or die "hops: $!";
  setsockopt($s, 41, 17, pack("i", $index)) or die "interface: $!";
  send($s, pack("H*", $message), 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $index))
    or die "send: $!";`;

export interface Advertisement {
  readonly managed?: boolean;
  readonly otherConfig?: boolean;
  readonly highPreference?: boolean;
  /** Seconds; 0 for no default router. */
  readonly lifetime?: number;
  readonly options?: readonly Buffer[];
}

function numbers(...words: readonly (readonly [bytes: 1 | 2 | 4, value: number])[]): Buffer {
  return Buffer.concat(
    words.map(([bytes, value]) => {
      const word = Buffer.alloc(bytes);
      word.writeUIntBE(value, 0, bytes);
      return word;
    }),
  );
}

/** An option: its type, its length in units of 8 bytes, and the rest, filled up. */
function option(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const units = Math.ceil((body.length + 2) / 8);
  return Buffer.concat([Buffer.from([type, units]), body, Buffer.alloc(units * 8 - 2 - body.length)]);
}

/** An on-link prefix for autonomous configuration. */
export function prefixOption(text: string, valid = 3600, preferred = 1800): Buffer {
  const { address, length } = parsePrefix(text);
  const head = numbers([1, length], [1, 0xc0], [4, valid], [4, preferred], [4, 0]);
  return option(3, head, addressBytes(address));
}

export function mtuOption(mtu: number): Buffer {
  return option(5, numbers([2, 0], [4, mtu]));
}

export function rdnssOption(lifetime: number, ...servers: readonly string[]): Buffer {
  return option(
    25,
    numbers([2, 0], [4, lifetime]),
    ...servers.map((server) => addressBytes(parseAddress(server))),
  );
}

export function dnsslOption(lifetime: number, ...domains: readonly string[]): Buffer {
  const labels = (domain: string): Buffer[] =>
    domain.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  const names = domains.flatMap((domain) => [...labels(domain), Buffer.from([0])]);
  return option(31, numbers([2, 0], [4, lifetime]), ...names);
}

/** Sends one advertisement from the link-local address of an interface of the router's. */
export async function sendAdvertisement(
  router: Place,
  ifname: string,
  advertisement: Advertisement,
): Promise<string> {
  const { managed, otherConfig, highPreference, lifetime = 1800, options = [] } = advertisement;
  const flags = (managed ? 0x80 : 0) | (otherConfig ? 0x40 : 0) | (highPreference ? 0x08 : 0);
  const head = numbers([1, 134], [1, 0], [2, 0], [1, 64], [1, flags], [2, lifetime], [4, 0], [4, 0]);
  const from = await linkLocal(router, ifname);
  const [link] = await router.ip('link', 'show', 'dev', ifname);
  const message = Buffer.concat([head, ...options]).toString('hex');
  await router.must(['perl', '-e', SEND, String(link?.['ifindex']), message]);
  return from;
}
