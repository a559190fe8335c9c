/** The DHCPv4 servers, relays and clients of this tier with each other: what fails with ours then is ours. */
import t from 'tap';
import { until } from '../kernel/harness.ts';
import { DhcpClient, networkd, udhcpc } from './clients.ts';
import { DEEP_SUBNET, SERVING4, skip, withDhcpLan } from './dhcp-lan.ts';
import { dhcpd4 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4 } from './kea.ts';
import { DhcpServer } from './server.ts';
import type { ServerKind } from './server.ts';
import type { Serving4 } from './serving.ts';

t.setTimeout(180_000);
t.jobs = 2;

const SERVERS4: Readonly<Record<string, (serving: Serving4) => ServerKind>> = { dnsmasq, kea4, dhcpd4 };
const ASKS = udhcpc('-O', 'search', '-O', 'staticroutes', '-O', 'mtu', '-x', 'hostname:boat');
const FOUR = /^192\.0\.2\.1[0-4]\d$/;

for (const [name, kind] of Object.entries(SERVERS4)) {
  t.test(`${name} serves DHCPv4`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const server = await DhcpServer.start(lan.host, lan.router, kind(SERVING4));
      const place = await lan.station('boat');
      const client = await DhcpClient.start(lan.host, place, ASKS);
      const address = await client.bound();
      t.match(address, FOUR);
      await server.says('ACK');
      t.same(server.messages(), ['DISCOVER', 'OFFER', 'REQUEST', 'ACK']);
      const given = client.given();
      t.match(given, {
        ...{ router: '192.0.2.1', dns: '192.0.2.53 198.51.100.53', domain: 'lan.example', mtu: '1400' },
        search: 'lan.example a.long.name.example',
        staticroutes: '10.0.0.0/8 192.0.2.2 172.16.0.0/12 192.0.2.3 0.0.0.0/0 192.0.2.1',
        lease: '3600',
      });
      const [link] = await place.ip('link', 'show', 'dev', 'eth0');
      const inFile = () => server.leases().find((entry) => entry.address === address);
      const lease = await until(inFile, 'the lease file');
      t.match(lease, { type: 'v4', state: 'active', mac: link?.address });
      t.ok(
        Math.abs((lease?.expires ?? 0) - Date.now() / 1000 - 3600) < 120,
        'the lease file says until when',
      );

      await server.stop();
      await server.start();
      await client.renew();
      await server.says('ACK', { count: 2 });
      await client.release();
      await server.says('RELEASE');
      await t.resolves(server.ended(address), 'the lease file says that it is over');
    });
  });
}

for (const [name, kind] of Object.entries(SERVERS4)) {
  t.test(`${name}: short leases renew themselves`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const short = { ...SERVING4, seconds: 10, t1: 3, t2: 6 };
      const server = await DhcpServer.start(lan.host, lan.router, kind(short));
      const client = await DhcpClient.start(
        lan.host,
        await lan.station('boat'),
        networkd('[Network]', 'DHCP=ipv4'),
      );
      const address = await client.bound();
      await server.says('ACK', { count: 3 });
      t.equal(await client.address(), address);
      t.equal(server.messages().filter((message) => message === 'DISCOVER').length, 1);
    });
  });
}

for (const [name, kind] of Object.entries(SERVERS4)) {
  t.test(`${name} hears that an address is in use`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const [first, last] = ['192.0.2.100', '192.0.2.101'];
      await lan.station('squatter', [`${first}/24`, `${last}/24`]);
      const server = await DhcpServer.start(lan.host, lan.router, kind({ ...SERVING4, first, last }));
      const client = await DhcpClient.start(lan.host, await lan.station('boat'), udhcpc('-a'));
      await server.says('DECLINE');
      t.equal(await client.address(), undefined);
      const active = () => server.leases().filter(({ state }) => state === 'active').length;
      await t.resolves(until(() => active() === 0, 'no active lease'));
      if (name !== 'dnsmasq') t.match(server.leases(), [{ state: 'declined' }]);
    });
  });
}

t.test('two servers on a LAN', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const other = await lan.station('other', ['192.0.2.2/24']);
    const kinds = [
      kea4(SERVING4),
      dnsmasq({ ...SERVING4, first: '192.0.2.200', last: '192.0.2.220' }),
    ] as const;
    const one = await DhcpServer.start(lan.host, lan.router, kinds[0]);
    const two = await DhcpServer.start(lan.host, other, kinds[1]);
    const client = await DhcpClient.start(lan.host, await lan.station('boat'), udhcpc());
    const address = await client.bound();
    await Promise.all([one.says('OFFER'), two.says('OFFER')]);
    const chosen = client.given()['serverid'] === '192.0.2.1' ? one : two;
    t.ok(chosen.leases().some((lease) => lease.address === address && lease.state === 'active'));
    t.equal([...one.messages(), ...two.messages()].filter((message) => message === 'ACK').length, 1);
  });
});

t.test('a server that is replaced says NAK to what it does not know', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const server = await DhcpServer.start(lan.host, lan.router, dnsmasq(SERVING4));
    const client = await DhcpClient.start(lan.host, await lan.station('boat'), udhcpc());
    t.match(await client.bound(), FOUR);
    await server.replace(dnsmasq({ ...SERVING4, first: '192.0.2.200', last: '192.0.2.220' }));
    t.same(server.leases(), []);
    await client.renew();
    await server.says('NAK');
    await server.says('ACK');
    // It says so before it writes it down.
    const kept = await until(() => server.leases()[0], 'the lease file');
    t.match(kept.address, /^192\.0\.2\.2[012]\d$/);
  });
});

for (const [name, kind] of Object.entries(SERVERS4)) {
  t.test(`${name} behind a relay`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const { server: place } = await lan.relayed();
      const server = await DhcpServer.start(lan.host, place, kind({ ...SERVING4, own: DEEP_SUBNET }));
      const client = await DhcpClient.start(lan.host, await lan.station('boat'), ASKS);
      t.match(await client.bound(), FOUR);
      t.match(client.given(), { serverid: '10.53.0.1', staticroutes: /^10\.0\.0\.0\/8 192\.0\.2\.2 / });
      await client.renew();
      await server.says('ACK', { count: 2 });
      await client.release();
      await server.says('RELEASE');
    });
  });
}

t.test('a bridge on the host', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const server = await DhcpServer.start(lan.host, lan.router, kea4(SERVING4));
    const bridge = await lan.bridge();
    const place = await lan.host.container('c1');
    await lan.host.shell(`ip link add port0 type veth peer name eth0 netns c1
      ip link set port0 master ${bridge}
      ip link set port0 up`);
    await place.shell('ip link set eth0 up');
    const client = await DhcpClient.start(lan.host, place, udhcpc());
    t.match(await client.bound(), FOUR);
    t.match(server.leases(), [{ state: 'active' }]);
  });
});
