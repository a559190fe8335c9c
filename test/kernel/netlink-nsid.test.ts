/**
 * lib/netlink/nsid.ts, and looking into namespaces by their ids: one with a path, one that only a process holds, one
 * that has ended.
 */
import { test } from 'tap';
import { SystemError } from '../../lib/base/errors.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { assignNsid, listNsids, nsidOf } from '../../lib/netlink/nsid.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { closeNetns, openNetns } from '../../lib/system/netns.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { inside } from './nftables-bed.ts';

const skip = lacking() ?? false;

/** Runs `fn` with an open descriptor of the place's namespace. */
function withFd<T>(host: Host, place: Place, fn: (fd: number) => T): T {
  const netns = openNetns(host.path(place.netnsPath));
  try {
    return fn(netns.fd);
  } finally {
    closeNetns(netns);
  }
}

function codeOf(fn: () => unknown): string | undefined {
  try {
    fn();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return undefined;
}

test('ids of namespaces', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const c1 = await host.container('c1');
    const c2 = await host.container('c2');
    const socket = inside(host, () => NetlinkSocket.open('route'));
    t.teardown(() => socket.close());
    const before = listNsids(socket);
    t.ok(before.length > 0, 'the world outside has one, by its veth');
    t.equal(
      withFd(host, c1, (fd) => nsidOf(socket, fd)),
      undefined,
      'none yet',
    );
    const nsid = withFd(host, c1, (fd) => assignNsid(socket, fd));
    t.equal(
      withFd(host, c1, (fd) => assignNsid(socket, fd)),
      nsid,
      'the same again',
    );
    t.equal(
      withFd(host, c1, (fd) => nsidOf(socket, fd)),
      nsid,
    );
    const other = withFd(host, c2, (fd) => assignNsid(socket, fd));
    t.not(other, nsid);
    t.strictSame(new Set(listNsids(socket)), new Set([...before, nsid, other]));
    const shown = JSON.parse(await host.must(['ip', '-j', 'netns', 'list-id'])) as { nsid: number }[];
    t.strictSame(new Set(shown.map((each) => each.nsid)), new Set(listNsids(socket)), 'ip’s list');
    t.equal(
      codeOf(() => assignNsid(socket, 0x7fff_fff0)),
      'EBADF',
      'no descriptor',
    );
  });
});

test('links of a namespace by its id', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const c1 = await host.container('c1');
    await c1.shell('ip link add near type veth peer name far; ip link add spare type bridge');
    const socket = inside(host, () => NetlinkSocket.open('route'));
    t.teardown(() => socket.close());
    const nsid = withFd(host, c1, (fd) => assignNsid(socket, fd));
    const names = (): string[] => listLinks(socket, { nsid }).map(({ name }) => name);
    t.strictSame(new Set(names()), new Set(['lo', 'near', 'far', 'spare']));
    const spare = findLink(socket, 'spare', { nsid });
    t.equal(spare?.kind, 'bridge');
    t.equal(findLink(socket, spare?.index ?? 0, { nsid })?.name, 'spare');
    t.equal(findLink(socket, 'spare'), undefined, 'it is not in the socket’s own');
    t.equal(findLink(socket, world(socket), { nsid }), undefined, 'nor the other way round');
    t.equal(removeLink(socket, 'spare', { nsid }), true);
    t.equal(removeLink(socket, 'spare', { nsid }), false, 'it is gone');
    t.notOk(names().includes('spare'));

    // Without a path, with a process.
    const holder = c1.start(['sh', '-c', 'echo ready; exec sleep infinity']);
    await holder.until(() => holder.output === 'ready\n', 'the holder');
    await host.removeContainer('c1');
    t.equal(findLink(socket, 'near', { nsid })?.kind, 'veth', 'a process holds it');
    t.strictSame(new Set(names()), new Set(['lo', 'near', 'far']));
    t.equal(removeLink(socket, 'near', { nsid }), true);
    t.strictSame(names(), ['lo']);

    // Without anybody.
    await holder.stop();
    await until(() => !listNsids(socket).includes(nsid), 'the end of the namespace');
    t.equal(findLink(socket, 'lo', { nsid }), undefined);
    t.strictSame(listLinks(socket, { nsid }), []);
    t.equal(removeLink(socket, 'lo', { nsid }), false);
    t.equal(findLink(socket, 'lo')?.name, 'lo', 'the socket’s own stands');
  });
});

/** The name of a link that only the host has. */
function world(socket: NetlinkSocket): string {
  return listLinks(socket).find(({ name }) => name !== 'lo')?.name ?? '';
}
