/**
 * The columns of Docker and podman in SECURITY.md: what a container of theirs does unhindered, tried with those that
 * are installed.
 */
import t from 'tap';
import { RA_BODY, arp, icmp6, ipv4, ipv6, naBody, udp } from '../kernel/guard-frames.ts';
import { heardBy, marker, startListener, startSender, withoutBrNetfilter } from '../kernel/guard-wire.ts';
import { ask, lacking, serve, until, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Docker } from './docker.ts';
import { Podman } from './podman.ts';

t.setTimeout(180_000);
const silence = { deadlineMs: 300 };
const [MAC, OTHER_MAC] = ['02:00:5e:00:53:11', '02:00:5e:00:53:12'];
const ALL = 'ff:ff:ff:ff:ff:ff';
const FROM = { from: MAC, to: ALL };
const ROUTER = { from: 'fe80::5eff:fe00:5311', to: 'ff02::1' };

/** By what a neighbour is deceived, each with an IPv4 address of two networks, 10.71 and 10.72. */
const FRAMES: Readonly<Record<string, Buffer>> = {
  'MAC addresses of others': ipv4(
    { from: OTHER_MAC, to: ALL },
    { from: '10.71.0.11', to: '10.71.0.12' },
    17,
    udp(9, 9),
  ),
  'IP addresses of others': ipv4(FROM, { from: '10.71.0.12', to: '10.71.0.12' }, 17, udp(9, 9)),
  'the same in ARP': arp(FROM, 'reply', '10.71.0.1', '10.71.0.12'),
  'and in neighbour discovery': ipv6(
    { from: MAC, to: '33:33:00:00:00:01' },
    ROUTER,
    58,
    icmp6(ROUTER, 136, naBody('fd00:71::12', MAC)),
  ),
  'router advertisements': ipv6(
    { from: MAC, to: '33:33:00:00:00:01' },
    ROUTER,
    58,
    icmp6(ROUTER, 134, RA_BODY),
  ),
  'DHCP answers': ipv4(FROM, { from: '10.71.0.11', to: '255.255.255.255' }, 17, udp(67, 68)),
};

interface Runtime {
  network(name: string, subnet: string): Promise<unknown>;
  container(name: string, ...options: string[]): Promise<Place>;
}

async function docker(host: Host): Promise<Runtime> {
  const daemon = await Docker.start(host);
  return {
    network: async (name, subnet) => daemon.must('network', 'create', '--subnet', subnet, name),
    container: async (...options) => daemon.container(...options),
  };
}

async function podman(host: Host): Promise<Runtime> {
  const command = await Podman.start(host, 'netavark');
  return {
    network: async (name, subnet) =>
      command.must('network', 'create', '--disable-dns', '--subnet', subnet, name),
    container: async (...options) => command.container(...options),
  };
}

/** [runtime, containers of other networks, by routing from outside] */
const RUNTIMES = [
  ['Docker', docker, lacking('dockerd', 'iptables'), false, false],
  ['podman with netavark', podman, lacking('podman', 'conmon', 'runc', 'iptables'), true, true],
] as const;

for (const [name, start, without, across, routed] of RUNTIMES) {
  t.test(`what a container of ${name} can do`, { skip: without ?? false }, async (t) => {
    await withHost(t, async (host) => {
      await withoutBrNetfilter(host);
      await serve(host, 'tcp', 9000);
      const secret = host.start(['socat', '-d', '-d', '-u', 'UDP4-RECV:9001,bind=127.0.0.1', 'STDOUT']);
      await secret.until(() => secret.errors.includes('starting data transfer'), 'the service on 127.0.0.1');
      const runtime = await start(host);
      await runtime.network('one', '10.71.0.0/24');
      await runtime.network('two', '10.72.0.0/24');
      const attach = async (who: string, network: string, ip: string, mac: string): Promise<Place> => {
        const place = await runtime.container(who, '--network', network, '--ip', ip, '--mac-address', mac);
        await serve(place, 'tcp', 80);
        return place;
      };
      const rogue = await attach('c1', 'one', '10.71.0.11', MAC);
      const neighbour = await attach('c2', 'one', '10.71.0.12', OTHER_MAC);
      await attach('c3', 'two', '10.72.0.13', '02:00:5e:00:53:13');
      await host.outside.shell(`ip route add 10.72.0.0/24 via ${world.host4}`);
      const reaches = async (from: Place, address: string, port = 80): Promise<boolean> =>
        (await ask(from, 'tcp', address, port, silence)) !== undefined;
      await until(async () => reaches(rogue, '10.71.0.12'), 'its neighbours');
      t.equal(await reaches(rogue, '10.72.0.13'), across, 'containers of other networks');
      t.equal(await reaches(rogue, '10.71.0.1', 9000), true, 'services of the host');
      t.equal(await reaches(host.outside, '10.72.0.13'), routed, 'be reached by routing from outside');

      const sender = await startSender(rogue);
      const listeners = { neighbour: await startListener(neighbour) };
      const mark = marker();
      const sentinel = ipv4(FROM, { from: '10.71.0.11', to: '255.255.255.255' }, 17, udp(9, 9));
      for (const [what, frame] of Object.entries(FRAMES))
        t.same(await heardBy(sender, mark(frame), mark(sentinel), listeners), ['neighbour'], what);

      await rogue.shell(`ip route delete table local local 127.0.0.0/8 dev lo
        ip route delete table local local 127.0.0.1 dev lo
        ip route add 127.0.0.1 via 10.71.0.1 src 10.71.0.11`);
      await rogue.must(['socat', '-u', 'STDIN', 'UDP4-SENDTO:127.0.0.1:9001'], { input: 'unheard' });
      t.equal(await reaches(rogue, '10.71.0.1', 9000), true, 'what came later has come');
      t.equal(secret.output, '', 'the host’s 127.0.0.1');
    });
  });
}
