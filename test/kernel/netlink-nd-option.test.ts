/** lib/netlink/nd-option.ts and awaitMessages() on the real kernel: what a router says, well meant and not. */
import { test } from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { decodeNdOption } from '../../lib/netlink/nd-option.ts';
import type { NdOption } from '../../lib/netlink/nd-option.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import {
  RTM_NEWNDUSEROPT,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_IFINFO,
  RTNLGRP_IPV6_PREFIX,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
  RTNLGRP_ND_USEROPT,
  openWatch,
} from '../../lib/netlink/watch.ts';
import { lacking, withHost } from './harness.ts';
import { inside } from './nftables-bed.ts';
import { dnsslOption, prefixOption, rdnssOption, sendAdvertisement } from './router.ts';

const skip = lacking('perl') ?? false;
const GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV6_IFINFO,
  RTNLGRP_IPV6_PREFIX,
  RTNLGRP_ND_USEROPT,
];
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_NEWPREFIX = 52;

/** What is told until there were `count` options; the types of the messages, and the options. */
function listen(
  watch: NetlinkSocket,
  count: number,
  wanted: readonly number[] = [],
): { types: Set<number>; options: (NdOption | 'bad')[] } {
  const types = new Set<number>();
  const options: (NdOption | 'bad')[] = [];
  while (options.length < count || wanted.some((type) => !types.has(type))) {
    const messages = watch.awaitMessages(5000, 'listen');
    if (messages === undefined || messages === 'lost') throw new Error(`${messages ?? 'nothing'} was told`);
    for (const message of messages) {
      types.add(message.type);
      if (message.type !== RTM_NEWNDUSEROPT) continue;
      try {
        const option = decodeNdOption(message);
        // Some kernels tell of prefixes as well.
        if (option.rdnss || option.dnssl) options.push(option);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        options.push('bad');
      }
    }
  }
  return { types, options };
}

test('what a router says of names', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const router = await host.container('router');
    await host.shell(`ip link add near type veth peer name far netns router
      echo 0 > /proc/sys/net/ipv6/conf/near/accept_dad
      echo 1 > /proc/sys/net/ipv6/conf/near/accept_ra
      ip netns exec router sh -c 'echo 0 > /proc/sys/net/ipv6/conf/far/accept_dad'
      ip -n router link set far up; ip link set near up`);
    const watch = inside(host, () => openWatch(GROUPS));
    t.teardown(() => watch.close());
    const socket = inside(host, () => NetlinkSocket.open('route'));
    t.teardown(() => socket.close());
    const index = findLink(socket, 'near')?.index;
    const servers = ['2001:db8:7::53', 'fe80::53'];
    const options = [
      prefixOption('2001:db8:7::/64'),
      rdnssOption(600, ...servers),
      dnsslOption(700, 'example.org', 'lan'),
      rdnssOption(0, '2001:db8:7::54'),
    ];
    const from = parseAddress(await sendAdvertisement(router, 'far', { options }));
    const beside = [RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWPREFIX];
    const heard = listen(watch, 3, beside);
    t.strictSame(heard.options, [
      { index, from, rdnss: { lifetime: 600, servers: servers.map(parseAddress) } },
      { index, from, dnssl: { lifetime: 700, domains: ['example.org', 'lan'] } },
      { index, from, rdnss: { lifetime: 0, servers: [parseAddress('2001:db8:7::54')] } },
    ]);
    for (const type of beside) t.ok(heard.types.has(type), `told of by type ${type}`);

    const bad = Buffer.from('1f02000000000258056162632e', 'hex');
    const hostile = [
      Buffer.concat([bad, Buffer.alloc(16 - bad.length, 0x3f)]),
      Buffer.from('1902000000000258fe80000000000000', 'hex'),
      dnsslOption(9, 'ok', 'a b', 'x\n'),
    ];
    await sendAdvertisement(router, 'far', { options: hostile });
    t.strictSame(listen(watch, 3).options, [
      'bad',
      'bad',
      { index, from, dnssl: { lifetime: 9, domains: ['ok'] } },
    ]);
    t.equal(watch.awaitMessages(0, 'listen'), undefined, 'nothing more');
  });
});

test('more than there is room for', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add near type bridge; ip link set near addrgenmode none; ip link set near up');
    const watch = inside(host, () => openWatch([RTNLGRP_IPV6_IFADDR]));
    t.teardown(() => watch.close());
    // Twice the 4 MiB that are asked for, at some 768 bytes a message.
    await host.shell(`for number in $(seq 9999); do
        echo "address add fd00:1::$number/128 dev near nodad"
        echo "address delete fd00:1::$number/128 dev near"
      done | ip -batch -`);
    t.equal(watch.awaitMessages(0, 'listen'), 'lost');
    const kept = watch.awaitMessages(0, 'listen');
    t.ok(Array.isArray(kept) && kept.length > 1000, 'what was kept');
    t.equal(watch.awaitMessages(0, 'listen'), undefined);
    await host.shell('ip address add fd00:2::1/128 dev near nodad');
    t.equal(watch.awaitMessages(5000, 'listen')?.length, 1, 'it listens again');
  });
});
