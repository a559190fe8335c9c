import t from 'tap';
import { formatAddress, formatPrefix } from '../../lib/base/ip.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Pool, PoolConfig } from '../../ipam/pool.ts';
import { parsePool } from '../../ipam/pool.ts';
import { formatSpan } from '../../ipam/span.ts';

function describe(pool: Pool): object[] {
  return pool.sets.flat().map((range) => ({
    subnet: formatPrefix(range.subnet),
    start: formatAddress(range.start),
    end: formatAddress(range.end),
    gateway: formatAddress(range.gateway),
    free: range.free.map(formatSpan),
  }));
}

function failure(config: PoolConfig): NetmoorError | undefined {
  try {
    parsePool(config);
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  return undefined;
}

t.test('a range gets the defaults of host-local', async (t) => {
  t.same(describe(parsePool({ subnet: '10.22.0.0/24' })), [
    {
      subnet: '10.22.0.0/24',
      start: '10.22.0.1',
      end: '10.22.0.254',
      gateway: '10.22.0.1',
      free: ['10.22.0.2-10.22.0.254'],
    },
  ]);
  t.same(describe(parsePool({ ranges: [[{ subnet: 'fd00:22::/64' }]] })), [
    {
      subnet: 'fd00:22::/64',
      start: 'fd00:22::1',
      end: 'fd00:22::ffff:ffff:ffff:ffff',
      gateway: 'fd00:22::1',
      free: ['fd00:22::2-fd00:22::ffff:ffff:ffff:ffff'],
    },
  ]);
});

t.test('bounds, gateway and the empty strings Go writes for absent ones', async (t) => {
  const config = {
    subnet: '10.22.0.0/24',
    rangeStart: '10.22.0.10',
    rangeEnd: '10.22.0.12',
    gateway: '10.22.0.11',
  };
  t.same(describe(parsePool(config)), [
    {
      subnet: '10.22.0.0/24',
      start: '10.22.0.10',
      end: '10.22.0.12',
      gateway: '10.22.0.11',
      free: ['10.22.0.10-10.22.0.10', '10.22.0.12-10.22.0.12'],
    },
  ]);
  const empty = parsePool({ subnet: '10.22.0.0/24', rangeStart: '', rangeEnd: '', gateway: '' });
  t.same(describe(empty), describe(parsePool({ subnet: '10.22.0.0/24' })));
  const onLink = [{ dst: '169.254.1.1/32', scope: 253 }, { dst: '0.0.0.0/0' }];
  const elsewhere = parsePool({ subnet: '10.22.0.0/24', gateway: '169.254.1.1', routes: onLink });
  t.equal(formatAddress(elsewhere.sets[0]?.[0]?.gateway ?? { family: 4, value: 0n }), '169.254.1.1');
  const router = parsePool({ subnet: 'fd00:22::/64', gateway: 'fe80::1' }).sets[0]?.[0];
  t.equal(formatAddress(router?.gateway ?? { family: 6, value: 0n }), 'fe80::1', 'which is on every link');
});

t.test('network and broadcast addresses are left out even of a range that names them', async (t) => {
  const [range] =
    parsePool({ subnet: '10.22.0.0/29', rangeStart: '10.22.0.0', rangeEnd: '10.22.0.7' }).sets[0] ?? [];
  t.same(range?.free.map(formatSpan), ['10.22.0.2-10.22.0.6']);
  const [six] = parsePool({ subnet: 'fd00::/126', rangeStart: 'fd00::', gateway: 'fd00::2' }).sets[0] ?? [];
  t.same(
    six?.free.map(formatSpan),
    ['fd00::1-fd00::1', 'fd00::3-fd00::3'],
    'the last IPv6 address is a host like others',
  );
});

t.test('/31 and /127 hold a gateway and one container', async (t) => {
  t.same(parsePool({ subnet: '10.22.0.4/31' }).sets[0]?.[0]?.free.map(formatSpan), ['10.22.0.4-10.22.0.4']);
  t.same(parsePool({ subnet: 'fd00::4/127' }).sets[0]?.[0]?.free.map(formatSpan), ['fd00::4-fd00::4']);
});

t.test('runtime ranges come first, then the legacy one, then the list', async (t) => {
  const config = { subnet: '10.1.0.0/24', ranges: [[{ subnet: '10.2.0.0/24' }, { subnet: '10.3.0.0/24' }]] };
  const pool = parsePool(config, [[{ subnet: 'fd00::/64' }]]);
  const subnets = pool.sets.map((set) => set.map((range) => formatPrefix(range.subnet)));
  t.same(subnets, [['fd00::/64'], ['10.1.0.0/24'], ['10.2.0.0/24', '10.3.0.0/24']]);
});

t.test(
  'exclusions and reservations leave the free spans; a gateway in one range is barred in all',
  async (t) => {
    const pool = parsePool({
      ranges: [
        [
          { subnet: '10.22.0.0/24', rangeStart: '10.22.0.10', rangeEnd: '10.22.0.19' },
          { subnet: '10.22.0.0/24', rangeStart: '10.22.0.30', rangeEnd: '10.22.0.39', gateway: '10.22.0.12' },
        ],
      ],
      exclude: ['10.22.0.14', '10.22.0.16/31', '10.22.0.38 - 10.22.0.200'],
      reservations: { web: ['10.22.0.30', '10.22.0.5'], db: ['10.22.0.38'] },
    });
    t.same(pool.sets[0]?.[0]?.free.map(formatSpan), [
      '10.22.0.10-10.22.0.11',
      '10.22.0.13-10.22.0.13',
      '10.22.0.15-10.22.0.15',
      '10.22.0.18-10.22.0.19',
    ]);
    t.same(pool.sets[0]?.[1]?.free.map(formatSpan), ['10.22.0.31-10.22.0.37']);
    t.same(pool.reservations.get('web')?.map(formatAddress), ['10.22.0.30', '10.22.0.5']);
  },
);

t.test('routes, resolvConf and dataDir are carried over', async (t) => {
  const pool = parsePool({
    subnet: '10.22.0.0/24',
    routes: [{ dst: '0.0.0.0/0' }, { dst: '10.9.0.0/16', gw: '10.22.0.9', mtu: 1400, table: 7 }],
    resolvConf: '/etc/resolv.conf',
    dataDir: '/srv/leases',
  });
  t.match(pool, { resolvConf: '/etc/resolv.conf', dataDir: '/srv/leases' });
  t.same(
    pool.routes.map(({ dst, gw, ...rest }) => [formatPrefix(dst), gw && formatAddress(gw), rest]),
    [
      ['0.0.0.0/0', undefined, {}],
      ['10.9.0.0/16', '10.22.0.9', { mtu: 1400, table: 7 }],
    ],
  );
});

const SUBNET = '10.22.0.0/24';
const REFUSED: [name: string, config: PoolConfig, key: string, advice: string][] = [
  ['host bits', { subnet: '10.22.0.5/24' }, 'ipam.subnet: "10.22.0.5/24"', '"10.22.0.0/24"'],
  ['host bits in IPv6', { ranges: [[{ subnet: 'fd00::1/64' }]] }, 'ipam.ranges[0][0].subnet', '"fd00::/64"'],
  ['no prefix', { subnet: '10.22.0.0' }, 'ipam.subnet', '10.22.0.0/16'],
  ['a single address', { subnet: '10.22.0.1/32' }, 'ipam.subnet', '/31'],
  ['a single IPv6 address', { subnet: 'fd00::1/128' }, 'ipam.subnet', '/127'],
  ['IPv4-mapped', { subnet: '::ffff:10.0.0.0/112' }, 'ipam.subnet', 'IPv4 network itself'],
  ['no subnet in a range', { ranges: [[{ gateway: '10.22.0.1' }]] }, 'ipam.ranges[0][0].subnet', 'network'],
  ['nothing', {}, 'ipam', '"ranges"'],
  ['an empty set', { ranges: [[]] }, 'range set 0', 'remove it'],
  [
    'start outside',
    { subnet: SUBNET, rangeStart: '10.23.0.1' },
    'ipam.rangeStart: "10.23.0.1"',
    '10.22.0.0/24',
  ],
  ['end outside', { subnet: SUBNET, rangeEnd: 'fd00::1' }, 'ipam.rangeEnd', '10.22.0.0/24'],
  [
    'start above end',
    { subnet: SUBNET, rangeStart: '10.22.0.9', rangeEnd: '10.22.0.8' },
    'ipam.rangeStart',
    'exchange',
  ],
  ['gateway outside', { subnet: SUBNET, gateway: '10.23.0.1' }, `"10.23.0.1" is not in ${SUBNET}`, 'inside'],
  [
    'gateway outside that a route does not put on the link',
    { subnet: SUBNET, gateway: '10.23.0.1', routes: [{ dst: '10.23.0.1/32' }] },
    'ipam.gateway: "10.23.0.1"',
    '"scope": 253',
  ],
  [
    'network address as gateway',
    { subnet: SUBNET, gateway: '10.22.0.0' },
    'ipam.gateway: "10.22.0.0"',
    'router',
  ],
  [
    'broadcast as gateway',
    { subnet: SUBNET, gateway: '10.22.0.255' },
    'ipam.gateway: "10.22.0.255"',
    'router',
  ],
  ['gateway of another family', { subnet: SUBNET, gateway: 'fd00::1' }, 'ipam.gateway', 'IPv4'],
  ['a word for an address', { subnet: SUBNET, gateway: 'router' }, 'ipam.gateway: "router"', 'IPv4 address'],
  [
    'mixed families',
    { ranges: [[{ subnet: SUBNET }, { subnet: 'fd00::/64' }]] },
    'ipam.ranges[0][1].subnet: "fd00::/64"',
    'set of its own',
  ],
  [
    'overlap in a set',
    { ranges: [[{ subnet: SUBNET }, { subnet: '10.22.0.0/25' }]] },
    'ipam.ranges[0][1]',
    'own',
  ],
  [
    'overlap of sets',
    { ranges: [[{ subnet: SUBNET }], [{ subnet: '10.22.0.0/16' }]] },
    'ipam.ranges[1][0]',
    'own',
  ],
  ['nothing left', { subnet: SUBNET, exclude: ['10.22.0.0/24'] }, 'ipam:', 'exclude'],
  ['a bad exclusion', { subnet: SUBNET, exclude: ['10.22.0.9-10.22.0.2'] }, 'ipam.exclude[0]', 'range like'],
  [
    'an exclusion of two families',
    { subnet: SUBNET, exclude: ['10.22.0.9-fd00::'] },
    'ipam.exclude[0]',
    'range like',
  ],
  [
    'a reservation elsewhere',
    { subnet: SUBNET, reservations: { a: ['10.23.0.1'] } },
    'ipam.reservations.a[0]',
    SUBNET,
  ],
  [
    'a reserved gateway',
    { subnet: SUBNET, reservations: { a: ['10.22.0.1'] } },
    'ipam.reservations.a[0]',
    'another',
  ],
  [
    'one address reserved twice',
    { subnet: SUBNET, reservations: { a: ['10.22.0.9'], b: ['10.22.0.9'] } },
    'ipam.reservations.b[0]: "10.22.0.9" is also reserved for a',
    'once',
  ],
  ['a bad route', { subnet: SUBNET, routes: [{ dst: 'default' }] }, 'ipam.routes[0].dst', '0.0.0.0/0'],
  [
    'a route of two families',
    { subnet: SUBNET, routes: [{ dst: '::/0', gw: '10.22.0.1' }] },
    'routes[0].gw',
    'family',
  ],
];

t.test('what is refused says which key, which value and what to write', async (t) => {
  for (const [name, config, key, advice] of REFUSED) {
    const error = failure(config);
    t.equal(error?.kind, 'bad-config', name);
    t.ok(error?.message.includes(key), `${name}: "${error?.message}" names ${key}`);
    t.ok(error?.details.includes(advice), `${name}: "${error?.details}" says ${advice}`);
  }
});
