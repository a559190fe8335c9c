/** A place that plays IPv6 router to whoever believes it. */
import { until } from './harness.ts';
import type { Place } from './harness.ts';

/**
 * Sends one router advertisement (RFC 4861 4.2) to all nodes: a router for half an hour, without any option. Perl's raw
 * ICMPv6 socket lets the kernel fill in the checksum.
 */
export const ADVERTISE = `use Socket qw(:all);
  socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
  setsockopt($s, 41, 18, pack("i", 255)) or die "hops: $!";
  my $index = shift;
  setsockopt($s, 41, 17, pack("i", $index)) or die "interface: $!";
  send($s, pack("CCnCCnNN", 134, 0, 0, 64, 0, 1800, 0, 0), 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $index))
    or die "send: $!";`;

/** The link-local address of an interface, as soon as it may be used. */
export async function linkLocal(place: Place, ifname: string): Promise<string> {
  const find = async () =>
    /fe80::[0-9a-f:]+/.exec(
      await place.must(['ip', '-6', 'address', 'show', 'dev', ifname, 'scope', 'link', '-tentative']),
    )?.[0];
  await until(async () => (await find()) !== undefined, `link-local address of ${ifname}`);
  return (await find()) ?? '';
}

/** `rogue` advertises itself on its eth0; resolves when the advertisement has come to an interface of the victim's. */
export async function advertise(rogue: Place, victim: Place, ifname: string): Promise<void> {
  await rogue.shell('echo 1 > /proc/sys/net/ipv6/conf/eth0/forwarding');
  const heard = victim.start(['tcpdump', '-lnpi', ifname, 'icmp6 and ip6[40] == 134']);
  await heard.until(() => heard.errors.includes('listening'), 'tcpdump');
  await linkLocal(rogue, 'eth0');
  const [eth0] = await rogue.ip('link', 'show', 'eth0');
  await rogue.must(['perl', '-e', ADVERTISE, String(eth0?.['ifindex'])]);
  await heard.until(() => heard.output.includes('router advertisement'), 'the advertisement arrives');
  await heard.stop();
}

/** The default routes that router advertisements gave to a place, as `ip` shows them; '' for none. */
export async function advertisedRoutes(place: Place): Promise<string> {
  return place.must(['ip', '-6', 'route', 'show', 'default', 'proto', 'ra']);
}
