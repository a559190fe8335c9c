/** What the engine listens and waits with: lib/system/reactor.ts, packet-socket.ts and udp-socket.ts on a real link. */
import { closeSync, readdirSync } from 'node:fs';
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { ETH_P_IP, openPacketSocket, udp4To } from '../../lib/system/packet-socket.ts';
import { openReactor } from '../../lib/system/reactor.ts';
import type { Reactor } from '../../lib/system/reactor.ts';
import { receive, send } from '../../lib/system/syscall.ts';
import { openUdpSocket, receiveUdp6, sendUdp } from '../../lib/system/udp-socket.ts';
import { BROADCAST_MAC } from '../../ipam/dhcp/frame/ethernet.ts';
import { decodeFrame, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host, Reporter } from './harness.ts';
import { inside } from './nftables-bed.ts';

const skip = lacking() ?? false;

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function withReactor(t: Reporter & { teardown(fn: () => void): void }): Reactor {
  const reactor = openReactor();
  t.teardown(() => reactor.close());
  return reactor;
}

t.test('alarms ring in the order of their times, and not before', async (t) => {
  const reactor = withReactor(t);
  const rung: string[] = [];
  const start = reactor.now();
  const early: string[] = [];
  const set = (name: string, after: number) =>
    reactor.at(start + after, () => {
      if (reactor.now() < start + after) early.push(name);
      rung.push(name);
    });
  const cancelled = set('cancelled', 15);
  for (const after of [30, 10, 20, 10, -1000]) set(String(after), after);
  const late = set('never', 60_000);
  t.equal(reactor.alarms, 7);
  cancelled.cancel();
  cancelled.cancel();
  t.equal(reactor.alarms, 6);
  await until(() => rung.length === 5, 'five alarms');
  t.strictSame(rung, ['-1000', '10', '10', '20', '30']);
  t.strictSame(early, [], 'none before its time');
  t.equal(reactor.alarms, 1);
  late.cancel();
  t.equal(reactor.alarms, 0);
});

t.test('an alarm may set and cancel others', async (t) => {
  const reactor = withReactor(t);
  const rung: string[] = [];
  const now = reactor.now();
  const victim = reactor.at(now + 5, () => void rung.push('victim'));
  reactor.at(now, () => {
    rung.push('first');
    victim.cancel();
    reactor.at(now, () => void rung.push('second'));
  });
  reactor.at(now + 40, () => void rung.push('last'));
  await until(() => rung.includes('last'), 'the last alarm');
  t.strictSame(rung, ['first', 'second', 'last']);
});

t.test('many at once, all of them', async (t) => {
  const reactor = withReactor(t);
  const at = reactor.now() + 20;
  let rung = 0;
  for (let count = 0; count < 5000; count++) reactor.at(at, () => void rung++);
  let turns = 0;
  const immediate = (): void => {
    turns++;
    if (rung < 5000) setImmediate(immediate);
  };
  setImmediate(immediate);
  await until(() => rung === 5000, '5000 alarms');
  t.ok(turns > 1, 'and others have their turn between');
});

const MACS = { near: '02:00:00:00:00:01', far: '02:00:00:00:00:02' };

async function link(host: Host): Promise<{ near: number; far: number }> {
  await host.shell(`ip link add near address ${MACS.near} type veth peer name far address ${MACS.far}
    for end in near far; do ip link set $end addrgenmode none; ip link set $end up; done`);
  return inside(host, () => {
    const route = NetlinkSocket.open('route');
    try {
      return { near: findLink(route, 'near')?.index ?? 0, far: findLink(route, 'far')?.index ?? 0 };
    } finally {
      route.close();
    }
  });
}

function frameTo(port: number, text: string): Buffer {
  return encodeFrame({
    from: { mac: MACS.far, address: '192.0.2.1', port: 67 },
    to: { mac: BROADCAST_MAC, address: '255.255.255.255', port },
    payload: Buffer.from(text),
  });
}

/** The same as a later fragment: what looks like ports are bytes of data. */
function fragmentOf(frame: Buffer): Buffer {
  const bytes = Buffer.from(frame);
  bytes.writeUInt16BE(100, 20);
  return bytes;
}

t.test('a packet socket hears nothing but UDP to its port', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { near, far } = await link(host);
    // Nothing of the namespace's own rules is in the way, or helps.
    await host.shell(
      `nft add table ip shut; nft add chain ip shut in '{ type filter hook input priority 0; policy drop; }'`,
    );
    const reactor = withReactor(t);
    const options = { index: near, protocol: ETH_P_IP, filter: udp4To(68) };
    const hears = inside(host, () => openPacketSocket(options));
    const speaks = inside(host, () => openPacketSocket({ index: far, protocol: 0 }));
    const heard: Buffer[] = [];
    const buffer = Buffer.alloc(2048);
    const watch = reactor.watch(hears, () => {
      for (
        let length = receive(hears, buffer, 'hear');
        length !== undefined;
        length = receive(hears, buffer, 'hear')
      )
        heard.push(Buffer.from(buffer.subarray(0, length)));
    });
    const tcp = frameTo(68, 'as TCP');
    tcp.writeUInt8(6, 23);
    const ipv6 = frameTo(68, 'as IPv6');
    ipv6.writeUInt16BE(0x86dd, 12);
    const noise = [
      frameTo(67, 'another port'),
      frameTo(69, 'another'),
      tcp,
      ipv6,
      fragmentOf(frameTo(68, 'part')),
    ];
    for (const frame of [...noise, frameTo(68, 'for us'), ...noise, frameTo(68, 'the last')])
      send(speaks, frame, 'say');
    await until(() => heard.length >= 2, 'two frames');
    t.strictSame(
      heard.map((frame) => decodeFrame(frame).payload.subarray(0, 8).toString().replace(/\0+$/, '')),
      ['for us', 'the last'],
    );
    send(hears, frameTo(68, 'its own'), 'say');
    send(speaks, frameTo(68, 'another’s'), 'say');
    await until(() => heard.length >= 3, 'a third frame');
    t.match(heard[2]?.toString(), /another’s/, 'what it sends itself is not heard');
    watch.stop();
    watch.stop();
    for (const fd of [hears, speaks]) closeSync(fd);
  });
});

t.test('UDP of IPv6 through one interface', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { far } = await link(host);
    await host.shell('ip address add fe80::a/64 dev near nodad; ip address add fe80::b/64 dev far nodad');
    const local = (address: string, port: number) => ({ address: parseAddress(address), port });
    const any = inside(host, () => openUdpSocket({ ifname: 'near', local: local('::', 546) }));
    t.throws(() => inside(host, () => openUdpSocket({ ifname: 'far', local: local('fe80::77', 547) })), {
      code: /^(EADDRNOTAVAIL|EINVAL)$/,
      message: /./,
    });
    const other = inside(host, () => openUdpSocket({ ifname: 'far', local: local('::', 547) }));
    t.equal(receiveUdp6(any, 'hear'), undefined, 'nothing is there');
    const reactor = withReactor(t);
    const heard: unknown[] = [];
    const watch = reactor.watch(any, () => {
      for (let got = receiveUdp6(any, 'hear'); got !== undefined; got = receiveUdp6(any, 'hear'))
        heard.push({ ...got, data: got.data.toString() });
    });
    sendUdp(other, Buffer.from('to all'), local('ff02::1', 546), far, 'say');
    sendUdp(other, Buffer.alloc(0), local('ff02::1', 546), far, 'say');
    await until(() => heard.length === 2, 'two datagrams');
    t.match(heard, [{ data: 'to all', from: 'fe80::b', port: 547 }, { data: '' }]);
    watch.stop();
    for (const fd of [any, other]) closeSync(fd);
  });
});

t.test('nothing stays open', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { near } = await link(host);
    // Whatever is loaded or opened once for all.
    const warm = openReactor();
    warm.close();
    let before = 0;
    await until(() => {
      const now = descriptors();
      const same = now === before;
      before = now;
      return same;
    }, 'as many as before');
    for (let round = 0; round < 20; round++) {
      const reactor = openReactor();
      const socket = inside(host, () =>
        openPacketSocket({ index: near, protocol: ETH_P_IP, filter: udp4To(68) }),
      );
      reactor.watch(socket, () => {});
      reactor.at(reactor.now() + 60_000, () => {});
      reactor.close();
      reactor.close();
      closeSync(socket);
      t.throws(() => inside(host, () => openPacketSocket({ index: 4_000_000, protocol: ETH_P_IP })), {
        code: 'ENODEV',
        message: /./,
      });
    }
    await until(() => descriptors() <= before, 'all descriptors are closed');
    t.pass();
  });
});
