/** What of a network's configuration goes on record for its server. */
import t from 'tap';
import type { PoolConfig } from '../../ipam/pool.ts';
import { parsePool } from '../../ipam/pool.ts';
import { serverRecord } from '../../plugins/bridge-nat/dhcp-server/network.ts';
import type { Served } from '../../plugins/bridge-nat/dhcp-server/network.ts';
import { validate } from '../../schemas/compiled/network-record.js';

const DETAIL: Served['detail'] = {
  version: 2,
  subnets: ['10.1.0.0/16', 'fd00:1::/64'],
  gateways: ['10.1.0.1/16', 'fd00:1::1/64'],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400 }],
  masquerade: true,
  ingressPolicy: 'open',
  macSpoofCheck: true,
  keepBridge: false,
  hairpin: true,
  isolated: true,
  bandwidth: { ingress: { rate: 1, burst: 1 } },
};
const OPTIONS = { leaseSeconds: 60, ipv4: undefined, ipv6: undefined, ports: ['nic0'] };
const DNS = { nameservers: ['10.1.0.53'], domain: 'x.example' };

function recorded(pool: PoolConfig, more: Partial<Served> = {}): ReturnType<typeof serverRecord> {
  const ipam: Served['ipam'] = { kind: 'netmoor', automatic: false, pool, extraRanges: [] };
  return serverRecord({ options: OPTIONS, ipam, dns: DNS, mtu: 1500, detail: DETAIL, ...more });
}

t.test('of two families', async (t) => {
  const reservations = { boat: ['10.1.0.7', 'fd00:1::7'], only6: ['fd00:1::8'] };
  const exclude = ['10.1.0.9', 'fd00:1::9'];
  const ranges = [[{ subnet: '10.1.0.0/16', rangeEnd: '10.1.0.99' }], [{ subnet: 'fd00:1::/64' }]];
  const found = recorded({ ranges, exclude, reservations });
  const { bandwidth: _none, ...detail } = DETAIL;
  t.strictSame(found, {
    leaseSeconds: 60,
    gateways: DETAIL.gateways,
    pool: {
      ranges: [[{ subnet: '10.1.0.0/16', rangeEnd: '10.1.0.99' }]],
      exclude: ['10.1.0.9'],
      reservations: { boat: ['10.1.0.7'] },
    },
    prefixes: ['fd00:1::/64'],
    routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }],
    dns: { nameservers: ['10.1.0.53'], search: [], domain: 'x.example' },
    mtu: 1500,
    ports: ['nic0'],
    detail: { ...detail, routes: [], macSpoofCheck: false, hairpin: false, isolated: false },
  });
  t.doesNotThrow(() => parsePool(found?.pool ?? {}));
  const network = {
    version: 2,
    name: 'n',
    plugin: 'bridge-nat',
    subnets: [],
    automatic: false,
    createdAt: 1,
  };
  t.ok(validate(JSON.parse(JSON.stringify({ ...network, dhcpServer: found }))), 'it is of its schema');
});

t.test('of one family, or of part of a set', async (t) => {
  const six = recorded({ ranges: [[{ subnet: 'fd00:1::/64' }]] });
  t.equal(six?.pool, undefined);
  t.strictSame(six?.prefixes, ['fd00:1::/64']);
  const four = recorded({
    ranges: [[{ subnet: '192.0.2.0/24' }, { subnet: '10.1.0.0/16' }], [{ subnet: 'fd00:1::/80' }]],
  });
  t.strictSame(four?.pool?.ranges, [[{ subnet: '10.1.0.0/16' }]], 'that in which the bridge has an address');
  t.equal(four?.prefixes, undefined);
  const chosen = { ...OPTIONS, ipv4: false };
  t.equal(recorded({ subnet: '10.1.0.0/16' }, { options: chosen }), undefined);
});

t.test('of subnets that netmoor has picked', async (t) => {
  const ipam: Served['ipam'] = { kind: 'netmoor', automatic: true, pool: {}, extraRanges: [] };
  t.match(recorded({}, { ipam }), {
    pool: { ranges: [[{ subnet: '10.1.0.0/16' }]] },
    prefixes: ['fd00:1::/64'],
  });
});
