/** DHCP leases as the command shows them and judges them, by clocks of the test. */
import t from 'tap';
import { leaseComplaints, verifyDhcp } from '../../cli/dhcp-check.ts';
import { dhcpViewsOf, formatMoment, leasedBy } from '../../cli/dhcp-view.ts';
import { formatLeases } from '../../cli/verbs/leases.ts';
import { nodesOf } from '../../cli/drawing/nodes.ts';
import { viewOf } from '../../cli/attachment-view.ts';
import { validate } from '../../schemas/compiled/cli-leases.js';
import type { Lease4 } from '../../ipam/dhcp/lease.ts';
import { BOOT } from './ipam-record.ts';
import { recordOf } from './cli-fakes.ts';
import { dhcpLease, lease4, lease6 } from './dhcp-record.ts';
import { naming } from '../naming.ts';

/** 100 s after the leases of the tests began. */
const CLOCKS = { now: Date.parse('2026-03-01T12:00:00Z'), sinceBoot: 5_100_000, bootId: BOOT };
const later = (seconds: number) => ({
  ...CLOCKS,
  now: CLOCKS.now + seconds * 1000,
  sinceBoot: CLOCKS.sinceBoot + seconds * 1000,
});
const both = dhcpLease('c1', { v4: lease4(), v6: lease6({}, 'RENEWING') });

t.test('times by the wall clock', async (t) => {
  const views = dhcpViewsOf(both, CLOCKS, 'web');
  const times = {
    renews: { at: '2026-03-01T12:28:20.000Z', seconds: 1700 },
    rebinds: { at: '2026-03-01T12:50:50.000Z', seconds: 3050 },
    expires: { at: '2026-03-01T12:58:20.000Z', seconds: 3500 },
    lapsed: false,
  };
  const key = { network: 'lan', containerId: 'c1', ifname: 'eth0', name: 'web' };
  t.strictSame(views, [
    {
      ...key,
      version: 4,
      addresses: ['192.0.2.7/24'],
      prefixes: [],
      server: '192.0.2.1',
      state: 'BOUND',
      ...times,
    },
    {
      ...key,
      version: 6,
      addresses: ['2001:db8::7/128'],
      prefixes: ['2001:db8:8000::/56'],
      server: 'fe80::1',
      serverId: '00030001020000000001',
      state: 'RENEWING',
      ...times,
    },
  ]);
  t.ok(validate({ leases: [], usage: [], dhcp: views }), JSON.stringify(validate.errors));
});

t.test('at its end, for ever, and nothing', async (t) => {
  t.match(dhcpViewsOf(both, later(3499)), [{ lapsed: false }, { lapsed: false }]);
  t.match(dhcpViewsOf(both, later(3500)), [{ lapsed: true, expires: { seconds: 0 } }, { lapsed: true }]);
  const { lease, ...client } = lease4();
  const { renewAfter: _t1, rebindAfter: _t2, validFor: _end, ...forever } = lease as Lease4;
  const record = dhcpLease('c1', { v4: { ...client, lease: forever } });
  const [view] = dhcpViewsOf(record, later(1e9));
  t.match(view, { lapsed: false, renews: undefined, rebinds: undefined, expires: undefined });
  const { lease: _none, ...asking } = lease4({}, 'SELECTING');
  const [nothing] = dhcpViewsOf(dhcpLease('c1', { v4: asking }), CLOCKS);
  t.strictSame(nothing, {
    ...{ network: 'lan', containerId: 'c1', ifname: 'eth0', version: 4, addresses: [], prefixes: [] },
    ...{ state: 'SELECTING', lapsed: false },
  });
});

t.test('of another boot there is only when all of it lapses', async (t) => {
  const lapsesAt = CLOCKS.now + 60_000;
  const [view] = dhcpViewsOf(dhcpLease('c1', { v4: lease4(), bootId: 'before', lapsesAt }), CLOCKS);
  t.match(view, { renews: undefined, expires: { seconds: 60 }, lapsed: false, gone: naming('boot') });
});

const MOMENTS: [seconds: number, text: string][] = [
  [0, 'now'],
  [1, 'in 1 s'],
  [119, 'in 119 s'],
  [120, 'in 2 min'],
  [720, 'in 12 min'],
  [7199, 'in 120 min'],
  [7200, 'in 2 h'],
  [172_800, 'in 2 d'],
  [-5, '5 s ago'],
  [-10_800, '3 h ago'],
];

t.test('times for people', async (t) => {
  for (const [seconds, text] of MOMENTS) t.equal(formatMoment({ at: '', seconds }), text);
  const text = formatLeases([], [], dhcpViewsOf(both, CLOCKS));
  const rows = text
    .split('\n')
    .slice(2)
    .map((line) => line.split(/ {2,}/));
  t.strictSame(rows, [
    ['BY DHCP', 'NETWORK', 'CONTAINER', 'SERVER', 'RENEWS', 'REBINDS', 'EXPIRES', 'STATE'],
    ['192.0.2.7/24', 'lan', 'c1 eth0', '192.0.2.1', 'in 28 min', 'in 51 min', 'in 58 min', 'BOUND'],
    ['2001:db8::7/128', 'lan', 'c1 eth0', 'fe80::1', 'in 28 min', 'in 51 min', 'in 58 min', 'RENEWING'],
    ['2001:db8:8000::/56 (delegated)'],
    [''],
  ]);
  t.match(
    formatLeases([], [], dhcpViewsOf({ ...both, gone: 'its host\nis' }, later(4000))),
    /BOUND, lapsed; gone: /,
  );
});

t.test('an address that is leased is marked, with whatever prefix length', async (t) => {
  const isLeased = leasedBy([both]);
  const key = { network: 'lan', containerId: 'c1', ifname: 'eth0' };
  t.ok(isLeased(key, '192.0.2.7/24'));
  t.ok(isLeased(key, '2001:db8:0::7/64'));
  t.notOk(isLeased(key, '192.0.2.8/24'));
  t.notOk(isLeased({ ...key, ifname: 'eth1' }, '192.0.2.7/24'));
  const record = recordOf({ ...key, addresses: [{ address: '192.0.2.7/24' }, { address: '10.0.0.1/8' }] });
  const view = viewOf(record, { stale: undefined, isLeased });
  t.strictSame(view.addresses, [{ address: '192.0.2.7/24', dhcp: true }, { address: '10.0.0.1/8' }]);
  const network = { name: 'lan', plugin: 'bridge-nat', subnets: [], automatic: false, attachments: [view] };
  const drawn = nodesOf({ host: { name: 'h' }, segments: [], unplugged: [network] });
  t.strictSame(drawn.children[0]?.children[0]?.facts, ['192.0.2.7/24 (DHCP)', '10.0.0.1/8']);
});

t.test('complaints', async (t) => {
  const v4 = dhcpLease('c1', { v4: lease4() });
  t.strictSame(leaseComplaints(v4, CLOCKS, true), []);
  t.match(leaseComplaints(v4, CLOCKS, false), [naming('192.0.2.7/24', 'in 58 min', 'netmoor engine')]);
  t.match(leaseComplaints(v4, later(4000), true), [naming('192.0.2.7/24', 'lapsed 8 min ago', 'no server')]);
  t.match(leaseComplaints(v4, later(4000), false), [naming('lapsed', 'no engine', 'netmoor engine')]);
  t.equal(leaseComplaints(both, CLOCKS, false).length, 2, 'of each version');
  const { lease: _, ...asking } = lease4({}, 'SELECTING');
  t.match(leaseComplaints(dhcpLease('c1', { v4: asking }), CLOCKS, true), [naming('DHCPv4', 'SELECTING')]);
  const gone = { ...v4, gone: 'its namespace is' };
  t.strictSame(leaseComplaints(gone, CLOCKS, true), [], 'the engine sees to it');
  t.match(leaseComplaints(gone, CLOCKS, false), [naming('its namespace is', 'netmoor gc')]);
  t.strictSame(leaseComplaints({ ...v4, bootId: 'before' }, CLOCKS, false), []);
});

t.test('who has an address by DHCP and no lease', async (t) => {
  const client = { network: 'lan', containerId: 'c2', ifname: 'eth0' };
  const found = verifyDhcp([client], [both], CLOCKS, true);
  t.strictSame([...found.keys()], ['lan/c2/eth0']);
  t.match(found.get('lan/c2/eth0'), { client, differences: [naming('no DHCP lease', 'attach')] });
  t.strictSame([...verifyDhcp([client], [{ ...both, containerId: 'c2' }], CLOCKS, true)], []);
});
