/** What of leases goes into a result: addresses, routes that can be made in their order, name servers; and whose. */
import t from 'tap';
import type { Lease4, Lease6 } from '../../ipam/dhcp/lease.ts';
import { identityOf } from '../../plugins/dhcp-ipam/identity.ts';
import { ipsOf, resultOf, routesOf } from '../../plugins/dhcp-ipam/leased.ts';
import { clientIdFrom } from '../../ipam/dhcp/identity.ts';
import { lease4, lease6 } from './dhcp-record.ts';

const LINK = 253;

function v4(fields: Partial<Lease4> = {}): Lease4 {
  return lease4(fields).lease as Lease4;
}

function v6(fields: Partial<Lease6> = {}): Lease6 {
  return lease6(fields).lease as Lease6;
}

t.test('addresses', async (t) => {
  t.strictSame(ipsOf({}), []);
  t.strictSame(ipsOf({ v4: v4() }), [{ address: '192.0.2.7/24' }]);
  t.strictSame(ipsOf({ v4: v4({ gateway: '192.0.2.1' }), v6: v6() }), [
    { address: '192.0.2.7/24', gateway: '192.0.2.1' },
    { address: '2001:db8::7/128' },
  ]);
  t.strictSame(ipsOf({ v6: v6({ addresses: [], stateless: true }) }), []);
});

t.test('routes by a router of the subnet', async (t) => {
  const routes = [
    { dst: '10.0.0.0/8', gw: '192.0.2.2' },
    { dst: '0.0.0.0/0', gw: '192.0.2.1' },
  ];
  t.strictSame(routesOf({ v4: v4({ routes }) }, undefined), routes);
  t.strictSame(
    routesOf({ v4: v4({ routes }) }, 0),
    routes.map((route) => ({ ...route, priority: 0 })),
    'with their metric',
  );
  t.strictSame(routesOf({ v6: v6() }, 5), [], 'those of IPv6 are the routers’ to tell');
});

t.test('what is on the link comes first', async (t) => {
  const routes = [{ dst: '0.0.0.0/0', gw: '198.51.100.1' }, { dst: '198.51.100.0/24' }];
  t.strictSame(routesOf({ v4: v4({ routes }) }, undefined), [
    { dst: '198.51.100.0/24', scope: LINK },
    { dst: '0.0.0.0/0', gw: '198.51.100.1' },
  ]);
});

t.test('a router that no route leads to is on the link', async (t) => {
  const routes = [
    { dst: '10.0.0.0/8', gw: '198.51.100.1' },
    { dst: '0.0.0.0/0', gw: '198.51.100.1' },
  ];
  t.strictSame(routesOf({ v4: v4({ routes }) }, 7), [
    { dst: '198.51.100.1/32', scope: LINK, priority: 7 },
    { dst: '10.0.0.0/8', gw: '198.51.100.1', priority: 7 },
    { dst: '0.0.0.0/0', gw: '198.51.100.1', priority: 7 },
  ]);
  const alone = v4({ address: '203.0.113.9/32', routes: [{ dst: '0.0.0.0/0', gw: '203.0.113.1' }] });
  t.strictSame(routesOf({ v4: alone }, undefined), [
    { dst: '203.0.113.1/32', scope: LINK },
    { dst: '0.0.0.0/0', gw: '203.0.113.1' },
  ]);
});

t.test('name servers of both families, each once', async (t) => {
  const dns = { nameservers: ['192.0.2.53'], domain: 'lan.example', search: ['a.example', 'b.example'] };
  const dns6 = {
    nameservers: ['2001:db8::53', '192.0.2.53'],
    domain: 'other.example',
    search: ['b.example'],
  };
  t.match(resultOf({ v4: v4({ dns }), v6: v6({ dns: dns6 }) }, undefined), {
    interfaces: [],
    ips: [{ address: '192.0.2.7/24' }, { address: '2001:db8::7/128' }],
    dns: {
      nameservers: ['192.0.2.53', '2001:db8::53'],
      domain: 'lan.example',
      search: ['a.example', 'b.example'],
    },
  });
  t.strictSame(resultOf({ v4: v4() }, undefined).dns, {}, 'none is nothing');
});

t.test('one container is one client, each of its interfaces another lease', async (t) => {
  const key = { network: 'lan', containerId: 'c1', ifname: 'eth0' };
  const one = identityOf(key, 'host-1');
  t.strictSame(identityOf({ ...key }, 'host-1'), one, 'also when it comes again');
  t.equal(one.clientId, clientIdFrom(one.iaid, Buffer.from(one.duid, 'hex')).toString('hex'));
  const others = [
    { ...key, ifname: 'eth1' },
    { ...key, network: 'lab' },
  ].map((other) => identityOf(other, 'host-1'));
  for (const { duid, iaid } of others) {
    t.equal(duid, one.duid);
    t.not(iaid, one.iaid);
  }
  t.not(identityOf({ ...key, containerId: 'c2' }, 'host-1').duid, one.duid);
  t.not(identityOf(key, 'host-2').duid, one.duid, 'on another host it is another');
});
