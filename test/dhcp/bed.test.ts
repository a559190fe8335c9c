/** The servers, relays and clients of this tier with each other: what fails with ours then is ours. */
import t from 'tap';
import { until } from '../kernel/harness.ts';
import { DhcpClient, dhcpcd, networkd, udhcpc } from './clients.ts';
import type { ClientKind } from './clients.ts';
import {
  DEEP_ADDRESS6,
  DEEP_SUBNET,
  MANAGED,
  PREFIXES,
  SERVING4,
  SERVING6,
  STATELESS,
  skip,
  withDhcpLan,
} from './dhcp-lan.ts';
import { dhcpd4, dhcpd6 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4, kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';
import type { ServerKind } from './server.ts';
import type { Serving4, Serving6 } from './serving.ts';

t.setTimeout(180_000);
t.jobs = 2;

const SERVERS4: Readonly<Record<string, (serving: Serving4) => ServerKind>> = { dnsmasq, kea4, dhcpd4 };
const SERVERS6: Readonly<Record<string, (serving: Serving6) => ServerKind>> = {
  dnsmasq: (serving) => dnsmasq(undefined, serving),
  kea6,
  dhcpd6,
};
const ASKS = udhcpc('-O', 'search', '-O', 'staticroutes', '-O', 'mtu', '-x', 'hostname:boat');
const FOUR = /^192\.0\.2\.1[0-4]\d$/;
const SIX = /^2001:db8:50::1[0-9a-f]{2}$/;

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
      const lease = server.leases().find((entry) => entry.address === address);
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
      await t.resolves(gone(server, address), 'the lease file says that it is over');
    });
  });
}

/** Resolves when the lease file has no active lease of the address. */
async function gone(server: DhcpServer, address: string): Promise<void> {
  const active = () => server.leases().some((lease) => lease.address === address && lease.state === 'active');
  await until(() => !active(), `end of the lease of ${address}`);
}

for (const [name, kind] of Object.entries({ dnsmasq, kea4, dhcpd4 })) {
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
    t.match(server.leases(), [{ address: /^192\.0\.2\.2[012]\d$/ }]);
  });
});

const RELAYED: Readonly<Record<string, (serving: Serving4) => ServerKind>> = { dnsmasq, kea4, dhcpd4 };
for (const [name, kind] of Object.entries(RELAYED)) {
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

for (const [name, kind] of Object.entries(SERVERS6)) {
  const delegates = name !== 'dnsmasq';
  t.test(`${name} serves DHCPv6`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const serving = { ...SERVING6, seconds: 600, ...(delegates ? { prefixes: PREFIXES } : {}) };
      const server = await DhcpServer.start(lan.host, lan.router, kind(serving));
      const lines = ['noipv6rs', 'duid ll', 'interface eth0', 'ia_na 1', ...(delegates ? ['ia_pd 2 -'] : [])];
      const client = await DhcpClient.start(lan.host, await lan.station('boat'), dhcpcd(lines, '-6'));
      const address = await client.bound(6);
      t.match(address, SIX);
      t.same(server.messages().slice(0, 4), ['SOLICIT', 'ADVERTISE', 'REQUEST', 'REPLY']);
      const found = server.leases();
      t.match(
        found.find(({ type }) => type === 'na'),
        { address, state: 'active', clientId: /^0003/, iaid: Number },
      );
      if (delegates)
        t.match(
          found.find(({ type }) => type === 'pd'),
          { address: /^2001:db8:8000:/, prefixLength: 56, state: 'active' },
        );
      await client.renew();
      await server.says('RENEW');
      await client.release();
      await server.says('RELEASE');
      await t.resolves(gone(server, address), 'the lease file says that it is over');
    });
  });
}

t.test('kea6 behind a relay', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { server: place } = await lan.relayed();
    const server = await DhcpServer.start(lan.host, place, kea6({ ...SERVING6, own: DEEP_ADDRESS6 }));
    const lines = ['noipv6rs', 'interface eth0', 'ia_na 1'];
    const client = await DhcpClient.start(lan.host, await lan.station('boat'), dhcpcd(lines, '-6'));
    t.match(await client.bound(6), SIX);
    t.match(server.log()[0], { message: 'SOLICIT', text: 'received from 2001:db8:53::2' });
  });
});

t.test('advertisements send clients to DHCPv6', { skip }, async (t) => {
  const follows = (): ClientKind => networkd('[Network]', 'DHCP=no', 'IPv6AcceptRA=yes');
  await t.test('for addresses', async (t) => {
    await withDhcpLan(t, async (lan) => {
      const server = await DhcpServer.start(lan.host, lan.router, kea6({ ...SERVING6, rapidCommit: true }));
      await lan.advertise(MANAGED);
      const client = await DhcpClient.start(lan.host, await lan.station('boat'), follows());
      t.match(await client.bound(6), SIX);
      t.same(server.messages(), ['SOLICIT', 'REPLY'], 'by a rapid commit');
    });
  });
  await t.test('for all else', async (t) => {
    await withDhcpLan(t, async (lan) => {
      const server = await DhcpServer.start(
        lan.host,
        lan.router,
        dnsmasq(undefined, { dns: ['2001:db8:50::53'] }),
      );
      await lan.advertise(STATELESS);
      const client = await DhcpClient.start(lan.host, await lan.station('boat'), follows());
      t.match(await client.bound(6), /^2001:db8:50:0?:/);
      await server.says('INFORMATION-REQUEST');
      t.same(server.leases(), []);
    });
  });
});

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
