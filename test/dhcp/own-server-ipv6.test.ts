/** The IPv6 side of a served network: router advertisements and stateless DHCPv6. */
import t from 'tap';
import { lacking, until, withHost } from '../kernel/harness.ts';
import type { Place } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { DhcpClient, dhcpcd, networkd } from './clients.ts';
import { LAB, guest } from './guests.ts';

const skip = lacking('dhcpcd', 'tcpdump') ?? false;
t.setTimeout(120_000);
t.jobs = 2;

async function defaultRoutes(place: Place): Promise<readonly unknown[]> {
  return place.ip('-6', 'route', 'show', 'default');
}

/** Those that can be used. */
async function addresses(place: Place, ifname: string, scope: string): Promise<string[]> {
  const [link] = await place.ip('-6', 'address', 'show', 'dev', ifname, 'scope', scope);
  return link?.addr_info?.flatMap(({ local, ...more }) => ('tentative' in more ? [] : (local ?? []))) ?? [];
}

async function slaac(place: Place): Promise<string> {
  const first = async () => (await addresses(place, 'eth0', 'global'))[0];
  return until(first, `an address of ${place.name}`, 20_000);
}

t.test('guests make themselves addresses; containers keep to theirs', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    const { place, ip6 } = await network.container('c1');
    const boat = await guest(host, 'boat');
    const address = await slaac(boat);
    t.match(address, /^fd00:77:/);
    const [route] = await defaultRoutes(boat);
    t.match(route, { gateway: (await addresses(host, 'nm-lab', 'link'))[0], protocol: 'ra' });
    await boat.must(['ping', '-c1', '-W2', ip6]);
    await place.must(['ping', '-c1', '-W2', address]);
    t.same(await addresses(place, 'eth0', 'global'), [ip6], 'the container took nothing of it');
  });
});

t.test('name servers come by advertisement and by DHCPv6', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await network.container('c1');
    const boat = await guest(host, 'boat');
    const wire = boat.start(['tcpdump', '-l', '-n', '-vv', '-i', 'eth0', 'icmp6[0] == 134 or udp port 547']);
    await wire.until(() => wire.errors.includes('listening on'), 'tcpdump');
    const client = await DhcpClient.start(host, boat, dhcpcd(['option dhcp6_name_servers'], '-6'));
    await client.bound(6);
    await wire.until(() => /dhcp6 reply/.test(wire.output), 'REPLY', 20_000);
    for (const seen of [
      /rdnss option.*addr: fd00:77::53/,
      /dnssl option.*lab\.example/,
      /prefix info option.*fd00:77::\/64/,
    ])
      t.match(wire.output, seen);
    t.match(wire.output, /Flags \[other stateful\]/);
    t.match(wire.output, /dhcp6 reply \(.*DNS-server fd00:77::53/);
    await wire.stop();
  });
});

t.test('systemd-networkd takes both families', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await network.container('c1');
    const kind = networkd('[Network]', 'DHCP=yes', 'IPv6AcceptRA=yes');
    const client = await DhcpClient.start(host, await guest(host, 'boat'), kind);
    t.match(await client.bound(4), /^10\.77\.0\./);
    t.match(await client.bound(6), /^fd00:77:/);
  });
});

t.test('when the network is not served any more, its router is none', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAB);
    await network.container('c1');
    const boat = await guest(host, 'boat');
    await slaac(boat);
    t.equal((await defaultRoutes(boat)).length, 1);
    const unserved = new Network(host, { ...LAB, dhcpServer: false });
    await unserved.container('c2');
    await until(
      async () => (await defaultRoutes(boat)).length === 0 || undefined,
      'the end of the route',
      20_000,
    );
    t.match(await slaac(boat), /^fd00:77:/, 'addresses in use stay');
  });
});
