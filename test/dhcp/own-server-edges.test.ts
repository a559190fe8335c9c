/** Whom the server of a network does not answer, and what it leaves alone. */
import t from 'tap';
import { lacking, until, withHost } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { netmoor } from '../kernel/netmoor-command.ts';
import { DhcpClient, udhcpc } from './clients.ts';
import { BRIDGE, LAB, clientIds, guest, isAnswered } from './guests.ts';

const skip = lacking('busybox', 'tcpdump') ?? false;
t.setTimeout(120_000);
t.jobs = 2;

/** A station on another network, which is plugged into the bridge through something that leads off the host. */
async function beyond(host: Host, kind: 'nic' | 'patch'): Promise<Place> {
  const station = await host.container('station');
  if (kind === 'nic') {
    // What leads off the host is of another kind than what leads into a container: a NIC of none, this of its own.
    await host.shell(`
      ip link add trunk type veth peer name eth0 netns station
      ip link set trunk up
      ip link add link trunk name nic0 type macvlan mode passthru
      ip link set nic0 master ${BRIDGE} up
      ip -n station link set eth0 up`);
  } else {
    await host.shell(`
      ip link add office type bridge
      ip link set office up
      ip link add port0 type veth peer name eth0 netns station
      ip link set port0 master office up
      ip -n station link set eth0 up
      ip link add patch0 type veth peer name patch1
      ip link set patch0 master ${BRIDGE} up
      ip link set patch1 master office up`);
  }
  return station;
}

for (const kind of ['nic', 'patch'] as const) {
  t.test(`nobody is answered through a ${kind} port, unless it is named`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, LAB);
      await network.container('c1');
      const station = await beyond(host, kind);
      const heard = station.start([
        'tcpdump',
        '-l',
        '-n',
        '-i',
        'eth0',
        'udp src port 67 or icmp6[0] == 134',
      ]);
      await heard.until(() => heard.errors.includes('listening on'), 'tcpdump');
      t.equal(await isAnswered(station), false);
      const inside = await DhcpClient.start(host, await guest(host, 'boat'), udhcpc('-B'));
      await inside.bound();
      await inside.renew();
      await until(() => (inside.text.match(/obtained/g)?.length ?? 0) > 1 || undefined, 'renewal');
      t.equal(heard.output, '', 'what others are answered, to all, is not heard there');
      t.equal((await clientIds(host)).length, 1);
      const port = kind === 'nic' ? 'nic0' : 'patch0';
      const named = new Network(host, { ...LAB, dhcpServer: { ports: [port] } });
      await named.container('c2');
      t.equal(await isAnswered(station), true, 'named, it is');
      await heard.stop();
    });
  });
}

t.test('an ADD fails when its promise cannot be kept', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await host.container('c1');
    // Where anybody could have put a socket, none is trusted.
    await host.shell('mkdir -p /run/netmoor\nchmod 0777 /run/netmoor');
    const refused = await network.run('ADD', 'c1');
    t.not(refused.code, 0);
    t.match(refused.json?.msg ?? '', /\/run\/netmoor/);
    t.equal((await host.run(['ip', 'link', 'show', 'dev', BRIDGE])).code, 1, 'nothing is left of it');
    t.not((await network.whole('STATUS')).code, 0, 'STATUS says so beforehand');
    await host.must(['chmod', '0700', '/run/netmoor']);
    t.equal((await network.whole('STATUS')).code, 0);
    await network.add('c1');
  });
});

t.test('one bridge has one server', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const first = new Network(host, {
      ...LAB,
      name: 'a',
      bridge: 'shared0',
      ipam: { subnet: '10.77.0.0/24' },
    });
    await first.container('c1');
    const second = new Network(host, {
      ...LAB,
      ...{ name: 'b', bridge: 'shared0', forceAddress: true },
      ipam: { subnet: '10.77.0.0/24', rangeStart: '10.77.0.200' },
    });
    await host.container('c2');
    const refused = await second.run('ADD', 'c2');
    t.not(refused.code, 0, 'a second one is not accepted');
    t.match((await netmoor(host, 'ls')).out, /c1/);
  });
});

t.test('a declined address is kept from everybody for a while', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await network.container('c1');
    const boat = await guest(host, 'boat');
    const squatter = await guest(host, 'squatter');
    // The address that the client will be offered is found out, and taken by somebody who never asked.
    const once = ['busybox', 'udhcpc', '-i', 'eth0', '-n', '-q', '-s', '/bin/true'];
    await boat.must(once);
    const { stderr } = await boat.run(once);
    const address = /lease of (\S+) obtained/.exec(stderr)?.[1] ?? '';
    await squatter.must(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    const client = await DhcpClient.start(host, boat, udhcpc('-a500', '-A1'));
    const other = await client.bound();
    t.not(other, address);
    t.match(client.text, /[Oo]ffered address is in use|declin/);
    t.ok((await clientIds(host)).includes(`dhcp-barred-${address}`));
  });
});

t.test('macspoofchk: a container asks in no name but its own', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...LAB, macspoofchk: true });
    const { place } = await network.container('c1');
    t.equal(await isAnswered(place), true, 'in its own it may');
    await place.must(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:66:66']);
    t.equal(await isAnswered(place), false);
    t.equal((await clientIds(host)).includes('dhcp-020000006666'), false);
  });
});
