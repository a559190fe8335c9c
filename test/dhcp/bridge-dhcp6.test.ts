/** bridge-nat on a bridge to the LAN, whose IPv6 addresses DHCPv6 servers give. */
import t from 'tap';
import { startEngine } from '../kernel/engine-bed.ts';
import type { CniJson } from '../kernel/harness.ts';
import { addresses, onRecord, state } from '../kernel/macvlan-bed.ts';
import { Network } from '../kernel/moorings.ts';
import { MANAGED, SERVING4, SERVING6, STATELESS, skip, withDhcpLan } from './dhcp-lan.ts';
import type { DhcpLan } from './dhcp-lan.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(180_000);

const LEASED = /^2001:db8:50::1[0-9a-f]{2}\/128$/;

async function onBridge(lan: DhcpLan, config: object): Promise<Network> {
  // The host itself is no client of the LAN's routers.
  await lan.host.shell('echo 0 > /proc/sys/net/ipv6/conf/default/accept_ra');
  const bridge = await lan.bridge();
  await startEngine(lan.host);
  return new Network(lan.host, { bridge, isGateway: false, ipMasq: false, ...config });
}

function ways({ routes = [] }: CniJson): string[] {
  return routes.map(({ dst, gw }) => `${dst} ${gw}`);
}

for (const enabledad of [false, true]) {
  t.test(`ip 6, enabledad ${enabledad}`, { skip }, async (t) => {
    await withDhcpLan(t, async (lan) => {
      const server = await DhcpServer.start(lan.host, lan.router, kea6(SERVING6));
      await lan.advertise(MANAGED);
      const network = await onBridge(lan, { enabledad, ipam: { type: 'dhcp-ipam', ip: 6 } });
      await network.container('first');
      await network.del('first');
      await lan.host.removeContainer('first');
      const place = await lan.host.container('c1');
      const before = await state(lan.host);
      const result = await network.add('c1');
      t.match(addresses(result), [LEASED]);
      t.same(ways(result), ['::/0 fe80::1'], 'the way out by the router is in the result');
      t.same(result.dns, { nameservers: SERVING6.dns, search: SERVING6.search });
      const [route] = await place.ip('-6', 'route', 'show', 'default');
      t.match(route, { gateway: 'fe80::1', protocol: 'ra' });
      const keys = ['accept_ra', 'autoconf', 'accept_ra_pinfo'].map((key) => `net.ipv6.conf.eth0.${key}`);
      t.equal(await place.must(['sysctl', '-n', ...keys]), '2\n0\n1\n', 'routers go on to be believed');
      const peer = await lan.station('peer', ['2001:db8:50::9/64']);
      const [address = ''] = addresses(result).map((text) => text.replace('/128', ''));
      t.equal((await peer.run(['ping', '-c1', '-W2', address])).code, 0);
      t.equal(await network.check('c1', result), undefined);
      await network.del('c1');
      await server.says('RELEASE', { count: 2 });
      t.equal(await onRecord(lan.host), 0);
      t.same(await state(lan.host), before, 'nothing stays');
    });
  });
}

t.test('both families', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const server = await DhcpServer.start(lan.host, lan.router, dnsmasq(SERVING4, SERVING6));
    await lan.advertise(MANAGED);
    const network = await onBridge(lan, { ipam: { type: 'dhcp-ipam', ip: 'both' } });
    const { result, place } = await network.container('c1');
    t.match(addresses(result), [/^192\.0\.2\.1[0-4]\d\/24$/, LEASED]);
    t.ok(ways(result).includes('0.0.0.0/0 192.0.2.1') && ways(result).includes('::/0 fe80::1'));
    t.equal((await place.run(['ping', '-c1', '-W2', '2001:db8:50::1'])).code, 0);
    t.equal(await network.check('c1', result), undefined);
    await network.del('c1');
    t.same(server.leases(), []);
  });
});

t.test("stateless: addresses are the kernel's", { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const serving = dnsmasq(SERVING4, { dns: SERVING6.dns ?? [] });
    const server = await DhcpServer.start(lan.host, lan.router, serving);
    await lan.advertise(STATELESS);
    const network = await onBridge(lan, { ipam: { type: 'dhcp-ipam', ip: 'both', stateless: true } });
    const { result, place } = await network.container('c1');
    t.match(addresses(result), [/^192\.0\.2\.1[0-4]\d\/24$/]);
    await server.says('INFORMATION-REQUEST');
    const [link] = await place.ip('-6', 'address', 'show', 'dev', 'eth0', 'scope', 'global');
    t.match(link?.addr_info, [{ local: /^2001:db8:50:0?:/ }]);
    await network.del('c1');
  });
});

t.test('no router: the address is there, the way out is not', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    await DhcpServer.start(lan.host, lan.router, kea6(SERVING6));
    const network = await onBridge(lan, { ipam: { type: 'dhcp-ipam', ip: 6 } });
    const { result } = await network.container('c1');
    t.match(addresses(result), [LEASED]);
    t.same(ways(result), []);
    t.equal(await network.check('c1', result), undefined);
    await network.del('c1');
    t.equal(await onRecord(lan.host), 0);
  });
});

t.test('somebody else has the address: it is declined', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const one = { ...SERVING6, first: '2001:db8:50::100', last: '2001:db8:50::100' };
    const server = await DhcpServer.start(lan.host, lan.router, kea6(one));
    await lan.advertise(MANAGED);
    await lan.station('squatter', ['2001:db8:50::100/64']);
    const network = await onBridge(lan, { ipam: { type: 'dhcp-ipam', ip: 6 } });
    await lan.host.container('c1');
    const { json } = await network.run('ADD', 'c1');
    t.match(json, { code: 101 });
    await server.says('DECLINE');
    t.match(server.leases(), [{ address: '2001:db8:50::100', state: 'declined' }]);
    t.equal(await onRecord(lan.host), 0);
  });
});
