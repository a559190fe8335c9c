/**
 * lib/netlink/inet6.ts, and addresses and routes that come by router advertisements, on the real kernel: before the
 * router speaks and after.
 */
import { test } from 'tap';
import { SystemError } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import {
  IFAPROT_KERNEL_RA,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  addressAddition,
  listAddresses,
} from '../../lib/netlink/address.ts';
import {
  IF_RA_MANAGED,
  IF_RA_OTHERCONF,
  IF_RA_RCVD,
  IF_READY,
  IF_RS_SENT,
  findInet6,
  inet6Change,
} from '../../lib/netlink/inet6.ts';
import { findLink } from '../../lib/netlink/link.ts';
import {
  ICMPV6_ROUTER_PREF_HIGH,
  ICMPV6_ROUTER_PREF_MEDIUM,
  RTPROT_KERNEL,
  RTPROT_RA,
  listRoutes,
} from '../../lib/netlink/route.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { inside } from './nftables-bed.ts';
import { mtuOption, prefixOption, sendAdvertisement } from './router.ts';

const skip = lacking('perl') ?? false;

/** near in the host, far in a container that is its router; duplicates are not looked for. */
const LINK = `ip link add near type veth peer name far netns router
  echo 0 > /proc/sys/net/ipv6/conf/near/accept_dad
  echo 1 > /proc/sys/net/ipv6/conf/near/accept_ra
  ip netns exec router sh -c 'echo 0 > /proc/sys/net/ipv6/conf/far/accept_dad'
  ip -n router link set far up; ip link set near up`;

function open(host: Host): NetlinkSocket {
  return inside(host, () => NetlinkSocket.open('route'));
}

test('a link before and after its router speaks', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const router = await host.container('router');
    await host.shell(LINK);
    const socket = open(host);
    t.teardown(() => socket.close());
    const flags = (): number => findInet6(socket, 'near')?.flags ?? 0;
    await until(
      () => (flags() & (IF_READY | IF_RS_SENT)) >>> 0 === (IF_READY | IF_RS_SENT) >>> 0,
      'a solicitation',
    );
    t.equal(flags() & (IF_RA_RCVD | IF_RA_MANAGED | IF_RA_OTHERCONF), 0, 'nobody answered');
    t.match(findInet6(socket, 'near'), { raMtu: undefined, addressGeneration: 'eui64', token: undefined });
    t.equal(findInet6(socket, 'nothing'), undefined);

    const options = [mtuOption(1400), prefixOption('2001:db8:7::/64')];
    const advertisement = { managed: true, highPreference: true, lifetime: 1800, options };
    const gateway = await sendAdvertisement(router, 'far', advertisement);
    await until(() => flags() & IF_RA_RCVD, 'an advertisement');
    t.equal(flags() & (IF_RA_MANAGED | IF_RA_OTHERCONF), IF_RA_MANAGED);
    t.equal(findInet6(socket, 'near')?.raMtu, 1400);
    const index = findLink(socket, 'near')?.index ?? 0;
    const given = await until(
      () => listAddresses(socket, index).find(({ prefix }) => formatPrefix(prefix).startsWith('2001:db8:7:')),
      'the address',
    );
    t.equal(given.protocol, IFAPROT_KERNEL_RA);
    t.equal(given.flags & (IFA_F_PERMANENT | IFA_F_TENTATIVE), 0);
    t.ok((given.lifetime?.valid ?? 0) > 3000, 'it lives for an hour');

    const routes = listRoutes(socket, 6).filter((route) => route.interface === index && route.table === 254);
    const byDefault = routes.find(({ destination }) => formatPrefix(destination) === '::/0');
    t.match(byDefault, { protocol: RTPROT_RA, preference: ICMPV6_ROUTER_PREF_HIGH });
    t.equal(byDefault?.gateway && formatAddress(byDefault.gateway), gateway);
    t.ok((byDefault?.expires ?? 0) > 1700 && (byDefault?.expires ?? 0) <= 1800, 'it lives for half an hour');
    const onLink = routes.find(({ destination }) => formatPrefix(destination) === '2001:db8:7::/64');
    t.match(onLink, { protocol: RTPROT_KERNEL, preference: ICMPV6_ROUTER_PREF_MEDIUM, gateway: undefined });
    t.ok((onLink?.expires ?? 0) > 3000);
    const local = routes.find(({ destination }) => formatPrefix(destination) === 'fe80::/64');
    t.match(local, { protocol: RTPROT_KERNEL, expires: undefined });

    await sendAdvertisement(router, 'far', { otherConfig: true });
    await until(() => (flags() & (IF_RA_MANAGED | IF_RA_OTHERCONF)) === IF_RA_OTHERCONF, 'the other flag');
  });
});

test('how addresses are made', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const router = await host.container('router');
    await host.shell(LINK);
    const socket = open(host);
    t.teardown(() => socket.close());
    const index = findLink(socket, 'near')?.index ?? 0;
    const change = (wanted: Parameters<typeof inet6Change>[1]): string | undefined => {
      try {
        socket.request(inet6Change(index, wanted, 'change'));
        return undefined;
      } catch (error) {
        if (error instanceof SystemError) return error.code;
        throw error;
      }
    };
    const own = (): number =>
      listAddresses(socket, index).filter(({ prefix }) => formatPrefix(prefix).startsWith('fe80:')).length;
    await until(() => own() === 1, 'the link-local address');
    for (const addressGeneration of ['none', 'random', 'eui64'] as const) {
      t.equal(change({ addressGeneration }), undefined);
      t.equal(findInet6(socket, 'near')?.addressGeneration, addressGeneration);
      const [link] = await host.ip('-details', 'link', 'show', 'dev', 'near');
      t.equal(link?.['inet6_addr_gen_mode'], addressGeneration);
      t.equal(own(), 1, 'what address there is stays');
    }
    t.equal(change({ addressGeneration: 'stable-privacy' }), 'EINVAL', 'without a secret');
    await host.shell('echo 2001:db8::1 > /proc/sys/net/ipv6/conf/near/stable_secret');
    t.equal(change({ addressGeneration: 'stable-privacy' }), undefined);
    t.equal(findInet6(socket, 'near')?.addressGeneration, 'stable-privacy');

    const token = parseAddress('::17');
    t.equal(change({ token, addressGeneration: 'none' }), undefined);
    t.match(findInet6(socket, 'near'), { token, addressGeneration: 'none' });
    t.match(await host.must(['ip', 'token', 'get', 'dev', 'near']), /token ::17 /);
    await sendAdvertisement(router, 'far', { options: [prefixOption('2001:db8:7::/64')] });
    const prefixes = (): string[] => listAddresses(socket, index).map(({ prefix }) => formatPrefix(prefix));
    await until(() => prefixes().includes('2001:db8:7::17/64'), 'the address of the token');
    t.equal(change({ token: parseAddress('::18') }), undefined);
    await until(() => !prefixes().includes('2001:db8:7::17/64'), 'the end of that address');
    t.notOk(prefixes().includes('2001:db8:7::18/64'), 'nobody advertised anything since');
    await sendAdvertisement(router, 'far', { options: [prefixOption('2001:db8:7::/64')] });
    await until(() => prefixes().includes('2001:db8:7::18/64'), 'the address of the new token');
    t.equal(change({ token: parseAddress('::') }), undefined, 'no token again');
    t.equal(findInet6(socket, 'near')?.token, undefined);
    await host.shell('echo 0 > /proc/sys/net/ipv6/conf/near/accept_ra');
    t.equal(change({ token }), 'EINVAL', 'where no advertisements are accepted');
  });
});

test('an optimistic address', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('router');
    await host.shell(LINK);
    const socket = open(host);
    t.teardown(() => socket.close());
    const index = findLink(socket, 'near')?.index ?? 0;
    await host.shell('echo 1 > /proc/sys/net/ipv6/conf/near/accept_dad');
    const added = (text: string): number => {
      const prefix = parsePrefix(text);
      socket.request(addressAddition(index, prefix, { dad: 'optimistic' }, 'add'));
      const found = listAddresses(socket, index).find((each) => formatPrefix(each.prefix) === text);
      return (found?.flags ?? 0) & (IFA_F_OPTIMISTIC | IFA_F_TENTATIVE);
    };
    t.equal(added('2001:db8:7::1/64'), IFA_F_TENTATIVE, 'the sysctl does not allow it');
    await host.shell('echo 1 > /proc/sys/net/ipv6/conf/near/optimistic_dad');
    t.equal(added('2001:db8:7::2/64'), IFA_F_TENTATIVE | IFA_F_OPTIMISTIC);
    const bound =
      'use Socket qw(:all); socket(my $s, AF_INET6, SOCK_DGRAM, 0) or die; ' +
      'bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, shift))) or exit 1;';
    t.equal((await host.run(['perl', '-e', bound, '2001:db8:7::2'])).code, 0, 'it may be used already');
  });
});
