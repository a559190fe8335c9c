/** macvlan-v6 where dnsmasq is everything: it advertises, and gives IPv4 addresses to Debian's dhcp plugin. */
import t from 'tap';
import { REFERENCE_PLUGINS } from './harness-cni.ts';
import { lacking, until } from './harness.ts';
import type { Host } from './harness.ts';
import type { Background } from './harness-process.ts';
import { addresses, network, onRecord, refused, state, withLan } from './macvlan-bed.ts';

t.setTimeout(120_000);

const skip = lacking('dnsmasq', 'tcpdump', 'perl', 'ping') ?? false;

const ADVERTISES = [
  'enable-ra',
  'dhcp-range=2001:db8:50::,ra-only,64,1h',
  'dhcp-option=option6:dns-server,[2001:db8:50::53]',
  'dhcp-option=option6:domain-search,lan.example',
];
const SERVES = ['dhcp-range=192.0.2.50,192.0.2.60,255.255.255.0,1h', 'dhcp-option=option:router,192.0.2.1'];

async function daemon(host: Host): Promise<Background> {
  await host.shell('mkdir -p /run/cni');
  const started = host.start([`${REFERENCE_PLUGINS}/dhcp`, 'daemon', '-timeout', '2s', '-resendmax', '1s']);
  const listens = async () => (await host.run(['test', '-S', '/run/cni/dhcp.sock'])).code === 0;
  await until(listens, 'the dhcp daemon listens');
  return started;
}

t.test('dnsmasq advertises and serves DHCPv4', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await router.dnsmasq([...ADVERTISES, ...SERVES]);
    await daemon(host);
    const peer = await lan.station('peer', { addresses: ['192.0.2.9/24', '2001:db8:50::9/64'] });
    for (const dad of ['optimistic', 'strict', 'off']) {
      const lanNetwork = network(host, { cniVersion: '1.0.0', dad, ipam: { type: 'dhcp' } });
      const place = await host.container(dad);
      const before = await state(host);
      const result = await lanNetwork.add(dad);
      const [four = '', six = ''] = addresses(result);
      t.match(four, /^192\.0\.2\.(5\d|60)\/24$/, `${dad}: by DHCP`);
      t.match(six, /^2001:db8:50:.*\/64$/, `${dad}: by the router`);
      t.equal(addresses(result).length, 2);
      const mac = result.interfaces?.[0]?.mac ?? '';
      const ip4 = four.replace('/24', '');
      t.match(router.log, `DHCPACK(eth0) ${ip4} ${mac}`);
      t.ok(await peer.pings(ip4));
      t.ok(await peer.pings(six.replace('/64', '')));
      t.equal((await place.ip('-4', 'route', 'show', 'default'))[0]?.gateway, '192.0.2.1');
      t.equal((await place.ip('-6', 'route', 'show', 'default'))[0]?.gateway, 'fe80::1');
      t.equal(await lanNetwork.check(dad, result), undefined);
      await lanNetwork.del(dad);
      await until(() => router.log.includes(`DHCPRELEASE(eth0) ${ip4} ${mac}`), 'it is given back');
      t.same(await state(host), before, 'nothing stays');
    }
  });
});

t.test('dnsmasq as advertiser alone', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await router.dnsmasq(ADVERTISES);
    const { result } = await network(host).container('c1');
    t.match(addresses(result), [/^2001:db8:50:.*\/64$/]);
    t.same(result.dns, { nameservers: ['2001:db8:50::53'], search: ['lan.example'] });
    t.same(
      result.routes?.map(({ dst, gw }) => ({ dst, gw })),
      [{ dst: '::/0', gw: 'fe80::1' }],
    );
  });
});

t.test('one of the two is missing', { skip }, async (t) => {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await router.dnsmasq(SERVES);
    await daemon(host);
    const place = await host.container('c1');
    const lanNetwork = network(host, { cniVersion: '1.0.0', timeout: 1, ipam: { type: 'dhcp' } });
    t.equal((await refused(lanNetwork, 'c1')).code, 50, 'no router');
    await until(() => router.log.includes('DHCPRELEASE'), 'the lease is given back');
    t.equal(await onRecord(host), 0);
    const only = network(host, {
      cniVersion: '1.0.0',
      name: 'v4',
      addressing: 'none',
      ipam: { type: 'dhcp' },
    });
    const result = await only.add('c1');
    t.match(addresses(result), [/^192\.0\.2\./], 'IPv4 only, as asked for');
    t.same(await place.ip('-6', 'address', 'show', 'scope', 'global'), []);
    await only.del('c1');
    await router.stop();
    await router.dnsmasq(ADVERTISES);
    t.ok((await refused(lanNetwork, 'c1')).code, 'no DHCP server');
    t.equal(await onRecord(host), 0);
    t.same(
      (await place.ip('link')).map(({ ifname }) => ifname),
      ['lo'],
    );
  });
});
