/**
 * lib/netlink/watch.ts: a link that is up, one that comes up while it is waited for, and one that does not; and more
 * notifications than there is room for.
 */
import { test } from 'tap';
import { findLink } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { openAddressWatch, untilDetected, untilLinkUp } from '../../lib/netlink/watch.ts';
import { inside } from './nftables-bed.ts';
import { lacking, withHost } from './harness.ts';
import type { Host } from './harness.ts';

const skip = lacking() ?? false;

/** Of RTNLGRP_LINK, as /proc/net/netlink shows it among the groups of a NETLINK_ROUTE socket. */
const LISTENER = '^[0-9a-f]* 0 .* 00000001 ';

/** Waits for `name`, in the host's namespace; this process does nothing else meanwhile. */
function wait(host: Host, name: string, milliseconds: number): boolean {
  return inside(host, () => {
    const socket = NetlinkSocket.open('route');
    try {
      return untilLinkUp(socket, findLink(socket, name)?.index ?? 0, milliseconds, () => performance.now());
    } finally {
      socket.close();
    }
  });
}

/** How many notifications were lost by listeners to RTNLGRP_IPV6_IFADDR (/proc/net/netlink). */
async function dropped(host: Host): Promise<number> {
  const lost = await host.shell('awk \'$2 == 0 && $4 == "00000100" { print $9 }\' /proc/net/netlink');
  return Number(lost);
}

test('waiting for a link', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add near type veth peer name far; ip link set near up');
    t.equal(wait(host, 'near', 0), false, 'without a deadline');
    t.equal(wait(host, 'near', 20), false, 'its other end is down all the time');
    const raise = `for try in $(seq 20000); do
        grep -q '${LISTENER}' /proc/net/netlink && exec ip link set far up
      done; exit 1`;
    const other = host.start(['sh', '-c', raise]);
    t.equal(wait(host, 'near', 20_000), true, 'the other end goes up once somebody listens');
    await other.stop();
    t.equal(wait(host, 'near', 0), true, 'it is up already');
    t.equal(
      await host.shell(`grep -c '${LISTENER}' /proc/net/netlink || true`),
      '0\n',
      'nobody listens any more',
    );
  });
});

test('a watch that overflowed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    // No address of the kernel's own: its detection would be waited for, and what came meanwhile read with it.
    await host.shell(
      `ip link add near type bridge; ip link set near addrgenmode none; ip link set near up
       ip address add fd00::1/64 dev near nodad`,
    );
    const notifications = inside(host, openAddressWatch);
    t.teardown(() => notifications.close());
    const index = inside(host, () => findLink(notifications, 'near'))?.index ?? 0;
    // A socket has room for 8 MiB of notifications (SO_RCVBUFFORCE doubles), with all that the kernel needs to keep
    // them.
    await host.shell(`for number in $(seq 9999); do
        echo "address add fd00:1::$number/128 dev near nodad"
        echo "address delete fd00:1::$number/128 dev near"
      done | ip -batch -`);
    const drops = await dropped(host);
    t.ok(drops > 0, `notifications were lost (${drops})`);
    const result = untilDetected(notifications, index, 5000, () => performance.now());
    t.strictSame(result, { duplicate: [], undecided: [] });
    t.equal(notifications.awaitChange(0, 'wait'), true, 'what came meanwhile is told');
    t.equal(notifications.awaitChange(0, 'wait'), false, 'once');
  });
});
