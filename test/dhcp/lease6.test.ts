/** DHCPv6 leases by real servers, beside routers that advertise. */
import t from 'tap';
import { until } from '../kernel/harness.ts';
import type { Place } from '../kernel/harness.ts';
import { MANAGED, PREFIXES, SERVING4, SERVING6, STATELESS, skip } from './dhcp-lan.ts';
import { dhcpd6 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea6 } from './kea.ts';
import { activeLease, addressesOf, eventually, givenBack, routesOf, withEngine } from './lease-bed.ts';
import type { Main } from './lease-bed.ts';
import { DhcpServer } from './server.ts';
import type { ServerKind } from './server.ts';
import type { Serving6 } from './serving.ts';

t.setTimeout(240_000);
t.jobs = 4;

const SERVERS: Readonly<Record<string, (serving: Serving6) => ServerKind>> = {
  dnsmasq: (serving) => dnsmasq(undefined, serving),
  kea6,
  dhcpd6,
};
const FOUR = ['SOLICIT', 'ADVERTISE', 'REQUEST', 'REPLY'];
const TWO = ['SOLICIT', 'REPLY'];
const LEASED = /^2001:db8:50::1[0-9a-f]{2}$/;

const counted = (server: DhcpServer, wanted: string): number =>
  server.messages().filter((message) => message === wanted).length;

/** Without what was said again, as a client does that is not answered within a second. */
const said = (server: DhcpServer): string[] => [...new Set(server.messages())];

async function goesOn(server: DhcpServer, message: string): Promise<void> {
  await server.says(message, { count: counted(server, message) + 1, deadlineMs: 30_000 });
}

async function defaultRoute(place: Place): Promise<string | undefined> {
  return (await place.ip('-6', 'route', 'show', 'default'))[0]?.gateway;
}

const MATRIX: readonly (readonly [string, Main, boolean])[] = [
  ['dnsmasq', 'bridge-nat', true],
  ['dnsmasq', 'macvlan', false],
  ['kea6', 'bridge-nat', false],
  ['kea6', 'bridge', true],
  ['dhcpd6', 'macvlan', false],
  ['dhcpd6', 'bridge-nat', true],
];

for (const [name, main, rapidCommit] of MATRIX) {
  t.test(`${main} by ${name}${rapidCommit ? ', in two messages' : ''}`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      await bed.lan.advertise(MANAGED);
      const kind = SERVERS[name] ?? kea6;
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind({ ...SERVING6, rapidCommit }));
      const network = await bed.network(main, { ip: 6, rapidCommit });
      const boat = await network.moor('boat');
      const address = boat.result.ips?.[0]?.address ?? '';
      const ip6 = address.replace('/128', '');
      t.match(ip6, LEASED);
      t.same(await addressesOf(boat.place), [`${ip6}/128`], 'and none by SLAAC');
      if (main === 'bridge-nat') {
        const { dns: nameservers, search } = SERVING6;
        t.same(boat.result.dns, { nameservers, search });
      }
      await eventually(t, async () => defaultRoute(boat.place), 'fe80::1', 'a default route by the router');
      t.match(await boat.place.run(['ping', '-c', '1', '-w', '5', '2001:db8:50::1']), { code: 0 });
      const asked = rapidCommit ? TWO : FOUR;
      t.same(said(server), asked);
      await until(() => activeLease(server, ip6) !== undefined, 'the lease in its file');
      const { clientId } = activeLease(server, ip6) ?? {};
      t.match(clientId, /^0004[0-9a-f]{32}$/, 'known by a DUID-UUID');
      t.match(await network.check(boat), { code: 0 });
      await network.del('boat');
      await server.says('RELEASE');
      t.same(said(server), [...asked, 'RELEASE'], 'CHECK asks nobody');
      await givenBack(server, ip6);

      await network.add(boat.place);
      const again = server.leases().filter(({ state }) => state === 'active');
      t.match(again, [{ clientId: clientId ?? '' }], 'known by it again');
    });
  });
}

for (const name of ['kea6', 'dhcpd6'] as const) {
  t.test(`${name}: ten seconds, and a prefix`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      await bed.lan.advertise(MANAGED);
      const serving = { ...SERVING6, seconds: 10, prefixes: PREFIXES };
      const kind = SERVERS[name] ?? kea6;
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(serving));
      const network = await bed.network('bridge-nat', { ip: 6, prefixDelegation: true });
      const { place, result } = await network.moor('boat');
      const ip6 = result.ips?.[0]?.address.replace('/128', '') ?? '';
      const prefix = server.leases().find(({ type }) => type === 'pd');
      t.match(prefix, { state: 'active', prefixLength: 56, address: /^2001:db8:8000:/ });
      await goesOn(server, 'RENEW');
      await goesOn(server, 'RENEW');
      t.equal(counted(server, 'SOLICIT'), 1);
      t.same(await addressesOf(place), [`${ip6}/128`]);

      await server.crash();
      await eventually(t, async () => addressesOf(place), [], 'no lease, no address');
      await server.start();
      await server.says('SOLICIT', { count: 2, deadlineMs: 60_000 });
      await eventually(t, async () => (await addressesOf(place)).length, 1, 'an address again');
      await network.del('boat');
      await server.says('RELEASE');
      for (const { address } of server.leases()) await givenBack(server, address);
    });
  });
}

t.test('another server takes over', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.advertise(MANAGED);
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea6({ ...SERVING6, seconds: 10 }));
    const network = await bed.network('macvlan', { ip: 6 });
    const { place, result } = await network.moor('boat');
    await server.crash();
    const heir = await bed.lan.station('heir', ['2001:db8:50::9/64']);
    const second = await DhcpServer.start(bed.host, heir, kea6({ ...SERVING6, seconds: 10 }));
    await second.says('REBIND', { deadlineMs: 30_000 });
    await second.says('RENEW', { deadlineMs: 60_000 });
    t.same(await addressesOf(place), [result.ips?.[0]?.address]);
  });
});

t.test('both families', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.advertise(MANAGED);
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(SERVING4, SERVING6));
    for (const main of ['bridge-nat', 'bridge'] as const) {
      const network = await bed.network(main, { ip: 'both' });
      const { place, result, ip4 } = await network.moor(main);
      const [first, second] = result.ips ?? [];
      t.match(first?.address, /^192\.0\.2\.1[0-4]\d\/24$/);
      t.match(second?.address.replace('/128', ''), LEASED);
      t.same(await addressesOf(place), [first?.address, second?.address]);
      t.ok((await routesOf(place)).includes('default via 192.0.2.1'));
      await eventually(t, async () => defaultRoute(place), 'fe80::1', 'the router advertises');
      await network.del(main);
      await givenBack(server, ip4);
      await givenBack(server, second?.address.replace('/128', '') ?? '');
    }
  });
});

t.test('stateless, beside SLAAC', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.lan.advertise(STATELESS);
    const { first: _, last: __, ...told } = SERVING6;
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(SERVING4, told));
    const network = await bed.network('bridge-nat', { ip: 'both', stateless: true });
    const boat = await network.moor('boat');
    t.match(boat.result.dns?.nameservers, [...(SERVING4.dns ?? []), ...(SERVING6.dns ?? [])]);
    await until(async () => (await addressesOf(boat.place)).length === 2, 'an address by SLAAC');
    const six = said(server).filter((message) => !['DISCOVER', 'OFFER', 'REQUEST', 'ACK'].includes(message));
    t.same(six, ['INFORMATION-REQUEST']);
    t.match(await network.check(boat), { code: 0 });
    await network.del('boat');
  });
});
