/** lib/netlink/devconf.ts: rtnetlink and /proc/sys/net say the same of every setting, and are changed together. */
import { test } from 'tap';
import type { Test } from 'tap';
import {
  IPV4_SETTINGS,
  IPV6_SETTINGS,
  arpNotification,
  isForwarding,
  settingsOf,
} from '../../lib/netlink/devconf.ts';
import type { LinkSettings } from '../../lib/netlink/devconf.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { writeSysctlsIn } from '../../lib/system/sysctl.ts';
import { withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { inside } from './nftables-bed.ts';

function socketIn(t: Test, host: Host): NetlinkSocket {
  const socket = inside(host, () => NetlinkSocket.open('route'));
  t.teardown(() => socket.close());
  return socket;
}

function settingsOfLink(socket: NetlinkSocket): LinkSettings | undefined {
  const link = findLink(socket, 'quay');
  return link && settingsOf(link);
}

/** What the file says, in the unit of rtnetlink. */
async function fileOf(host: Host, family: string, name: string): Promise<number> {
  const text = await host.must(['cat', `/proc/sys/net/${family}/conf/quay/${name}`]);
  return Number(text) * (name === 'router_solicitation_delay' ? 1000 : 1);
}

test('every setting, as it is and as it is made', async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add quay type bridge');
    const socket = socketIn(t, host);
    const told = () => settingsOfLink(socket);
    for (const name of IPV4_SETTINGS)
      t.equal(told()?.ipv4(name), await fileOf(host, 'ipv4', name), `ipv4 ${name}`);
    for (const name of IPV6_SETTINGS) {
      t.equal(told()?.ipv6(name), await fileOf(host, 'ipv6', name), `ipv6 ${name}`);
      // Any other number than it has; a second is a thousand milliseconds.
      const other = (told()?.ipv6(name) ?? 0) === 0 ? 1 : 0;
      inside(host, () => writeSysctlsIn(['net', 'ipv6', 'conf', 'quay'], [[name, other]]));
      const changed = name === 'router_solicitation_delay' ? other * 1000 : other;
      t.equal(told()?.ipv6(name), changed, `ipv6 ${name}, made ${other}`);
      t.equal(await fileOf(host, 'ipv6', name), changed, `as its file says`);
    }
    await host.shell('echo 109 > /proc/sys/net/ipv4/conf/quay/route_localnet');
    t.equal(told()?.ipv4('route_localnet'), 109);
    socket.request(arpNotification(findLink(socket, 'quay')?.index ?? 0, 'announce'));
    t.equal(await fileOf(host, 'ipv4', 'arp_notify'), 1);
    t.equal(told()?.ipv4('route_localnet'), 109, 'nothing else is changed with it');
  });
});

test('what is not there', async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add quay type bridge; ip link set quay mtu 1000');
    const socket = socketIn(t, host);
    t.equal(settingsOfLink(socket)?.ipv6('accept_ra'), undefined, 'too small for IPv6');
    t.type(settingsOfLink(socket)?.ipv4('arp_notify'), 'number');
    t.equal(settingsOf({}).ipv4('arp_notify'), undefined, 'nor where the kernel tells of none');
    const keys = [
      ['no_such_setting', 1],
      ['arp_notify', 1],
    ] as const;
    inside(host, () => writeSysctlsIn(['net', 'ipv4', 'conf', 'quay'], keys));
    t.equal(await fileOf(host, 'ipv4', 'arp_notify'), 1, 'the others are written');
    t.throws(() => inside(host, () => writeSysctlsIn(['net', 'ipv4', 'conf', '..'], keys)), RangeError);
  });
});

test('forwarding', async (t) => {
  await withHost(t, async (host) => {
    const socket = socketIn(t, host);
    for (const [family, file] of [
      [4, 'ipv4/ip_forward'],
      [6, 'ipv6/conf/all/forwarding'],
    ] as const) {
      for (const value of [1, 0, 1]) {
        await host.shell(`echo ${value} > /proc/sys/net/${file}`);
        t.equal(isForwarding(socket, family), value === 1, `IPv${family}, made ${value}`);
      }
    }
  });
});
