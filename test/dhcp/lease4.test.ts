/** DHCPv4 leases by real servers, for three main plugins: what the server and the kernel say of them. */
import t from 'tap';
import type { Test } from 'tap';
import { DEEP_SUBNET, SERVING4, skip } from './dhcp-lan.ts';
import { dhcpd4 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4 } from './kea.ts';
import { activeLease, addressesOf, givenBack, mtuOf, routesOf, withEngine } from './lease-bed.ts';
import type { Bed, Main } from './lease-bed.ts';
import { DhcpServer } from './server.ts';
import type { ServerKind } from './server.ts';
import type { Serving4 } from './serving.ts';

t.setTimeout(240_000);
t.jobs = 2;

const SERVERS: Readonly<Record<string, (serving: Serving4) => ServerKind>> = { dnsmasq, kea4, dhcpd4 };
const MAINS: readonly Main[] = ['bridge-nat', 'bridge', 'macvlan'];
const GIVEN = ['10.0.0.0/8 via 192.0.2.2', '172.16.0.0/12 via 192.0.2.3', 'default via 192.0.2.1'];
const ONCE = ['DISCOVER', 'OFFER', 'REQUEST', 'ACK'];

async function live(t: Test, bed: Bed, main: Main, server: DhcpServer): Promise<void> {
  const network = await bed.network(main);
  const boat = await network.moor('boat');
  const { place, ip4, mac, result } = boat;
  t.match(result.ips, [{ address: /^192\.0\.2\.1[0-4]\d\/24$/, gateway: '192.0.2.1' }]);
  // The reference's own plugins tell of the name servers in their configuration alone.
  const { dns: nameservers, domain, search } = SERVING4;
  if (main === 'bridge-nat') t.same(result.dns, { nameservers, domain, search });
  t.same(await addressesOf(place), [`${ip4}/24`]);
  t.same(await routesOf(place), GIVEN);
  t.equal(await mtuOf(place), 1400, 'the MTU is on the link');
  t.same(server.messages(), ONCE);
  const lease = activeLease(server, ip4);
  t.match(lease, { mac }, 'the lease file has it');

  t.match(await network.check(boat), { code: 0 });
  await network.del('boat');
  await server.says('RELEASE');
  t.same(server.messages(), [...ONCE, 'RELEASE'], 'CHECK asks nobody');
  await givenBack(server, ip4);
  await network.del('boat');
  t.same(await bed.host.ip('-n', 'boat', 'link', 'show', 'type', 'veth'), []);

  const again = await network.add(place);
  t.equal(activeLease(server, again.ip4)?.clientId, lease?.clientId, 'known by the same identity');
  if (server.kind === 'dhcpd-4') t.equal(again.ip4, ip4, 'which gets it the same address');
  t.equal(server.messages().filter((message) => message === 'RELEASE').length, 1, 'DEL twice releases once');
}

for (const [name, kind] of Object.entries(SERVERS)) {
  for (const main of MAINS) {
    t.test(`${main} by ${name}`, { skip }, async (t) => {
      await withEngine(t, async (bed) => {
        const server = await DhcpServer.start(bed.host, bed.lan.router, kind(SERVING4));
        await live(t, bed, main, server);
      });
    });
  }

  t.test(`${name}: a container that comes again without DEL keeps its address`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(SERVING4));
      const network = await bed.network('bridge');
      const boat = await network.moor('boat');
      const other = await network.moor('other');
      t.not(other.ip4, boat.ip4);
      const { netnsPath } = await bed.host.container('anew');
      const again = await network.add(bed.host.at(netnsPath, 'boat'));
      t.equal(again.ip4, boat.ip4);
      t.equal(server.messages().filter((message) => message === 'DISCOVER').length, 2, 'it asks for it');
      await network.del('boat');
      await givenBack(server, boat.ip4);
      t.ok(activeLease(server, other.ip4), 'others keep theirs');
    });
  });

  t.test(`${name}: through a relay`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const deep = await bed.lan.relayed();
      const routes = [{ dst: '10.0.0.0/8', gw: '192.0.2.1' }];
      const serving = { ...SERVING4, routes, own: DEEP_SUBNET };
      const server = await DhcpServer.start(bed.host, deep.server, kind(serving));
      const network = await bed.network('bridge-nat');
      const { ip4, place } = await network.moor('boat');
      t.same(await addressesOf(place), [`${ip4}/24`]);
      t.same(await routesOf(place), ['10.0.0.0/8 via 192.0.2.1'], 'they overrule the router (RFC 3442)');
      await network.del('boat');
      await server.says('RELEASE');
      await givenBack(server, ip4);
    });
  });
}

t.test('a router outside the subnet', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const { router: _, routes: __, ...serving } = SERVING4;
    await DhcpServer.start(bed.host, bed.lan.router, dhcpd4({ ...serving, router: '198.51.100.1' }));
    await bed.lan.router.shell('ip address add 198.51.100.1/32 dev eth0');
    // The reference's plugins before 1.5 know no routes without a router.
    const network = await bed.network('bridge-nat');
    const { place, result } = await network.moor('boat');
    t.same(await routesOf(place), ['198.51.100.1', 'default via 198.51.100.1']);
    t.match(result.ips, [{ gateway: undefined }], 'which is the gateway of no subnet');
    t.match(await place.run(['ping', '-c', '1', '-w', '5', '198.51.100.1']), { code: 0 });
  });
});

t.test('options to provide and to ask for', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const extra = ['dhcp-option=42,192.0.2.7', 'dhcp-vendorclass=set:ours,netmoor-test'];
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq({ ...SERVING4, extra }));
    const network = await bed.network('bridge', {
      request: [{ option: 'ntp-servers' }, { option: '44' }],
      provide: [
        { option: '12', fromArg: 'K8S_POD_NAME' },
        { option: 'vendor-class-identifier', value: 'netmoor-test' },
        { option: 'user-class', fromArg: 'NOT_GIVEN' },
      ],
    });
    const args = 'IgnoreUnknown=true;K8S_POD_NAME=schooner';
    const { ip4 } = await network.moor('boat', { args });
    t.match(server.text, /client provides name: schooner/);
    t.match(server.text, /tags: ours, eth0/);
    t.notMatch(server.text, /user class/);
    t.match(server.text, /requested options: .*42:ntp-server/);
    t.match(server.text, /requested options: .*44/);
    t.match(server.text, /requested options: .*121:classless-static-route/, 'beside those of every day');
    t.match(activeLease(server, ip4), { address: ip4 });

    const bare = await bed.network('bridge-nat', { request: [{ skipDefault: true, option: 'router' }] });
    const { place } = await bare.moor('bare');
    t.equal(server.text.split('\n').filter((line) => /requested options: 3:router$/.test(line)).length, 2);
    t.same(await routesOf(place), ['default via 192.0.2.1']);
    t.equal(await mtuOf(place), 1500, 'what was not asked for is not used');
  });
});

t.test('what the configuration gets wrong is said before anybody is asked', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(SERVING4));
    await bed.host.container('boat');
    for (const [ipam, code] of [
      [{ provide: [{ option: 'no-such-option', value: 'x' }] }, 7],
      [{ ip: 5 }, 7],
      [{ timeuot: 3 }, 2],
    ] as const) {
      const network = await bed.network('bridge-nat', ipam);
      t.match(await network.run('ADD', 'boat'), { code: 1, json: { code } }, JSON.stringify(ipam));
    }
    t.same(server.messages(), []);
  });
});

t.test('nobody answers', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    await bed.host.container('boat');
    for (const main of ['bridge-nat', 'bridge'] as const) {
      const network = await bed.network(main, { timeout: 1 });
      t.match(await network.run('ADD', 'boat'), { code: 1, json: { code: 50 } });
      // The reference leaves it to DEL.
      if (main === 'bridge') await network.del('boat');
      t.same(await bed.host.ip('-n', 'boat', 'link', 'show', 'type', 'veth'), [], 'nothing stays');
      await network.del('boat');
    }
  });
});
