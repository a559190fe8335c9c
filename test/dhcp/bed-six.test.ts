/** The DHCPv6 servers, relays and clients of this tier with each other: what fails with ours then is ours. */
import t from 'tap';
import { until } from '../kernel/harness-until.ts';
import { DhcpClient, dhcpcd, networkd } from './clients.ts';
import type { ClientKind } from './clients.ts';
import { DEEP_ADDRESS6, MANAGED, PREFIXES, SERVING6, STATELESS, skip, withDhcpLan } from './dhcp-lan.ts';
import { dhcpd6 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';
import type { ServerKind } from './server.ts';
import type { Serving6 } from './serving.ts';

t.setTimeout(180_000);
t.jobs = 2;

const SERVERS6: Readonly<Record<string, (serving: Serving6) => ServerKind>> = {
  dnsmasq: (serving) => dnsmasq(undefined, serving),
  kea6,
  dhcpd6,
};
const SIX = /^2001:db8:50::1[0-9a-f]{2}$/;

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
      // While it waits for the answer it does not release. One to REQUEST may come twice, where that was sent twice.
      await until(() => /RENEW6.*REPLY6 received/s.test(client.text), 'the answer to RENEW');
      await client.release();
      await server.says('RELEASE').catch((error: unknown) => {
        throw new Error(`dhcpcd: ${client.text}`, { cause: error });
      });
      await t.resolves(server.ended(address), 'the lease file says that it is over');
    });
  });
}

for (const [name, kind] of Object.entries({ kea6, dhcpd6 })) {
  t.test(`${name}: short leases renew and rebind themselves`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const server = await DhcpServer.start(
        lan.host,
        lan.router,
        kind({ ...SERVING6, seconds: 16, t1: 3, t2: 6 }),
      );
      const lines = ['noipv6rs', 'interface eth0', 'ia_na 1'];
      const client = await DhcpClient.start(lan.host, await lan.station('boat'), dhcpcd(lines, '-6'));
      const address = await client.bound(6);
      await server.says('RENEW');
      await server.crash();
      await server.start();
      await server.says('RENEW', { count: 2 });
      t.equal(await client.address(6), address);
      await server.replace(kind({ ...SERVING6, seconds: 16, t1: 3, t2: 6 }));
      t.same(server.leases(), []);
      await server.says('REPLY');
      t.match(await client.address(6), SIX);
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
