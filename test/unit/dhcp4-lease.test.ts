/** ipam/dhcp/v4: which answers count, and what they lease. */
import t from 'tap';
import type { Lease4 } from '../../ipam/dhcp/lease.ts';
import { answerIn } from '../../ipam/dhcp/v4/answer.ts';
import { classLength, isHostAddress, isHostWithin, maskLength } from '../../ipam/dhcp/v4/host-address.ts';
import { leaseFrom } from '../../ipam/dhcp/v4/lease-from.ts';
import { leaseTimes } from '../../ipam/dhcp/v4/lease-times.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import {
  CLASSLESS_ROUTES,
  CLIENT_IDENTIFIER,
  DOMAIN_NAME,
  DOMAIN_NAME_SERVERS,
  DOMAIN_SEARCH,
  HOST_NAME,
  INTERFACE_MTU,
  LEASE_TIME,
  MS_CLASSLESS_ROUTES,
  REBINDING_TIME,
  RENEWAL_TIME,
  ROUTERS,
  SERVER_IDENTIFIER,
  STATIC_ROUTES,
  SUBNET_MASK,
  written,
} from '../../ipam/dhcp/v4/options/known.ts';
import { CLIENT_ID, WISH, reply } from './dhcp4-messages.ts';

const XID = 77;
const SERVER = '192.0.2.1';
const ADDRESS = '192.0.2.50';
const FROM = { address: SERVER, mac: '02:00:00:00:00:09' };
type Entry = readonly [number, Buffer];

const BASIC: readonly Entry[] = [
  written(SERVER_IDENTIFIER, SERVER),
  written(LEASE_TIME, 100),
  written(SUBNET_MASK, '255.255.255.0'),
];

function ack(entries: readonly Entry[] = [], head: Partial<Message4> = {}): Message4 {
  return reply('ack', XID, [...BASIC, ...entries], { yiaddr: ADDRESS, ...head });
}

const leased = (...entries: Entry[]): Lease4 => leaseFrom(ack(entries), SERVER, FROM, 5000);
const bad = (code: number): Entry => [code, Buffer.from([1])];

t.test('addresses and masks', async (t) => {
  for (const address of ['1.0.0.1', '10.0.0.1', '169.254.1.1', '223.255.255.254'])
    t.ok(isHostAddress(address));
  for (const address of ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'])
    t.notOk(isHostAddress(address), address);
  t.strictSame(
    ['128.0.0.0', '255.0.0.0', '255.255.255.0', '255.255.255.254', '255.255.255.255'].map(maskLength),
    [1, 8, 24, 31, 32],
  );
  for (const mask of ['0.0.0.0', '255.0.255.0', '0.0.0.255', '255.255.255.253', '127.255.255.255'])
    t.equal(maskLength(mask), undefined, mask);
  t.strictSame(
    ['10.0.0.1', '127.0.0.1', '128.0.0.1', '191.0.0.1', '192.0.0.1'].map(classLength),
    [8, 8, 16, 16, 24],
  );
  t.ok(isHostWithin('10.0.0.255', 23));
  for (const [address, length] of [
    ['10.0.0.0', 24],
    ['10.0.0.255', 24],
    ['10.255.255.255', 8],
    ['128.0.0.0', 1],
  ] as const)
    t.notOk(isHostWithin(address, length), address);
  for (const length of [31, 32]) t.ok(isHostWithin('10.0.0.0', length));
});

t.test('answers that count', async (t) => {
  t.match(answerIn(ack(), WISH, XID), { type: 'ack', server: SERVER });
  t.match(answerIn(ack([written(CLIENT_IDENTIFIER, CLIENT_ID)]), WISH, XID), { type: 'ack' });
  t.match(answerIn({ ...ack(), type: 'offer' }, WISH, XID), { type: 'offer' });
  const nak = reply('nak', XID, [written(SERVER_IDENTIFIER, SERVER)]);
  t.match(answerIn(nak, WISH, XID), { type: 'nak' });
  t.match(answerIn(ack([written(SUBNET_MASK, '255.255.255.255')]), WISH, XID), { type: 'ack' }, '/32');
});

t.test('answers that do not', async (t) => {
  const ignored: Record<string, Message4> = {
    'a request': ack([], { op: 'request' }),
    'another xid': { ...ack(), xid: XID + 1 },
    'another client': ack([], { chaddr: '02:00:00:00:00:02' }),
    'another client identifier': ack([written(CLIENT_IDENTIFIER, `${CLIENT_ID}00`)]),
    'a client identifier of no bytes': ack([[61, Buffer.alloc(0)]]),
    'no server': reply('ack', XID, BASIC.slice(1), { yiaddr: ADDRESS }),
    'a server that is none': ack([written(SERVER_IDENTIFIER, '255.255.255.255')]),
    'a multicast server': ack([written(SERVER_IDENTIFIER, '224.0.0.1')]),
    'half a server': ack([bad(54)]),
    'no address': ack([], { yiaddr: '0.0.0.0' }),
    'a multicast address': ack([], { yiaddr: '224.0.0.5' }),
    'a loopback address': ack([], { yiaddr: '127.0.0.5' }),
    'the broadcast address': ack([], { yiaddr: '192.0.2.255' }),
    'the network': ack([], { yiaddr: '192.0.2.0' }),
    'a lease of no time': ack([written(LEASE_TIME, 0)]),
    'a lease of hardly any time': ack([written(LEASE_TIME, 4)]),
  };
  for (const [what, message] of Object.entries(ignored))
    t.equal(answerIn(message, WISH, XID), undefined, what);
  for (const type of [
    'discover',
    'request',
    'decline',
    'release',
    'inform',
    'forcerenew',
    'leaseactive',
  ] as const)
    t.equal(answerIn({ ...ack(), type }, WISH, XID), undefined, type);
});

t.test('all that a lease can have', async (t) => {
  const lease = leased(
    written(ROUTERS, ['192.0.2.254', '192.0.2.253']),
    written(DOMAIN_NAME_SERVERS, ['192.0.2.53', '0.0.0.0', '127.0.0.1', '198.51.100.53', '192.0.2.53']),
    written(DOMAIN_NAME, 'lan.example.'),
    written(DOMAIN_SEARCH, ['lan.example', 'example', 'lan.example']),
    written(INTERFACE_MTU, 1400),
    written(HOST_NAME, 'boat'),
    written(RENEWAL_TIME, 40),
    written(REBINDING_TIME, 90),
  );
  const expected = {
    since: 5000,
    renewAfter: 40,
    rebindAfter: 90,
    validFor: 100,
    address: '192.0.2.50/24',
    server: SERVER,
    serverMac: FROM.mac,
    routes: [{ dst: '0.0.0.0/0', gw: '192.0.2.254' }],
    gateway: '192.0.2.254',
    dns: {
      nameservers: ['192.0.2.53', '198.51.100.53'],
      domain: 'lan.example',
      search: ['lan.example', 'example'],
    },
    mtu: 1400,
    hostname: 'boat',
  };
  t.strictSame(lease, expected);
  t.strictSame(JSON.parse(JSON.stringify(lease)), lease);
});

t.test('options that are not sound are as if they were not there', async (t) => {
  const codes = [1, 3, 6, 15, 26, 33, 58, 59, 119, 121, 249];
  const lease = leaseFrom(ack(codes.map(bad)), SERVER, { address: SERVER }, 0);
  t.strictSame(lease, {
    since: 0,
    renewAfter: 50,
    rebindAfter: 87.5,
    validFor: 100,
    address: '192.0.2.50/24',
    server: SERVER,
    routes: [],
    dns: { nameservers: [], search: [] },
  });
});

t.test('the mask', async (t) => {
  t.equal(leased(written(SUBNET_MASK, '255.255.255.255')).address, '192.0.2.50/32');
  t.equal(leased(written(SUBNET_MASK, '255.0.255.0')).address, '192.0.2.50/24', 'with a gap: by class');
  t.equal(
    leaseFrom(reply('ack', XID, [], { yiaddr: '10.1.2.3' }), SERVER, FROM, 0).address,
    '10.1.2.3/8',
    'none',
  );
});

t.test('names and MTUs that cannot be used', async (t) => {
  for (const name of ['a b', '-a', 'a..b', 'é', 'x'.repeat(64), 'a/b', '.']) {
    t.notHas(leased(written(HOST_NAME, name)), { hostname: name }, name);
    t.equal(leased(written(DOMAIN_NAME, name)).dns.domain, undefined, name);
  }
  for (const mtu of [0, 68, 575]) t.equal(leased(written(INTERFACE_MTU, mtu)).mtu, undefined, `${mtu}`);
  for (const mtu of [576, 1500, 65535]) t.equal(leased(written(INTERFACE_MTU, mtu)).mtu, mtu);
});

const CLASSLESS = [{ dst: '10.0.0.0/8', gw: '192.0.2.2' }, { dst: '172.16.0.0/12' }];
const STATIC = [
  { destination: '10.0.0.0', router: '192.0.2.3' },
  { destination: '172.16.1.1', router: '192.0.2.4' },
  { destination: '0.0.0.0', router: '192.0.2.5' },
  { destination: '198.51.100.0', router: '0.0.0.0' },
];

t.test('routes', async (t) => {
  const old = [written(STATIC_ROUTES, STATIC), written(ROUTERS, ['192.0.2.1'])];
  const fromOld = [
    { dst: '10.0.0.0/8', gw: '192.0.2.3' },
    { dst: '172.16.1.1/32', gw: '192.0.2.4' },
    { dst: '0.0.0.0/0', gw: '192.0.2.1' },
  ];
  t.match(leased(...old), { routes: fromOld, gateway: '192.0.2.1' }, '33 and 3');
  const classless = leased(...old, written(CLASSLESS_ROUTES, CLASSLESS));
  t.strictSame(
    [classless.routes, classless.gateway],
    [CLASSLESS, undefined],
    '121 overrules them (RFC 3442)',
  );
  t.strictSame(leased(...old, written(MS_CLASSLESS_ROUTES, CLASSLESS)).routes, CLASSLESS, '249 too');
  const both = leased(
    written(MS_CLASSLESS_ROUTES, [{ dst: '1.0.0.0/8' }]),
    written(CLASSLESS_ROUTES, CLASSLESS),
  );
  t.strictSame(both.routes, CLASSLESS, '121 before 249');
  t.match(
    leased(...old, bad(121)),
    { routes: fromOld, gateway: '192.0.2.1' },
    'one that is not sound overrules nothing',
  );
  const byDefault = [...CLASSLESS, { dst: '0.0.0.0/0', gw: '192.0.2.9' }];
  t.match(leased(...old, written(CLASSLESS_ROUTES, byDefault)), { routes: byDefault, gateway: '192.0.2.9' });
  const onLink = leased(written(CLASSLESS_ROUTES, [{ dst: '0.0.0.0/0' }]));
  t.strictSame([onLink.routes, onLink.gateway], [[{ dst: '0.0.0.0/0' }], undefined]);
});

t.test('routers that are none', async (t) => {
  const routers = written(ROUTERS, ['0.0.0.0', '255.255.255.255', ADDRESS, '192.0.2.7']);
  t.equal(leased(routers).gateway, '192.0.2.7');
  t.strictSame(leased(written(ROUTERS, [ADDRESS])).routes, []);
  const wrong = [
    { dst: '10.0.0.0/8', gw: ADDRESS },
    { dst: '10.0.0.0/8', gw: '224.0.0.1' },
    { dst: '10.0.0.0/8', gw: '192.0.2.3' },
  ];
  t.strictSame(leased(written(CLASSLESS_ROUTES, wrong)).routes, [{ dst: '10.0.0.0/8', gw: '192.0.2.3' }]);
  const twice = [
    { dst: '10.0.0.0/8', gw: '192.0.2.2' },
    { dst: '10.0.0.0/8', gw: '192.0.2.3' },
  ];
  t.strictSame(
    leased(written(CLASSLESS_ROUTES, twice)).routes,
    twice.slice(0, 1),
    'the first to a destination',
  );
});

t.test('times', async (t) => {
  const times = (...[lease, t1, t2]: (number | undefined)[]): unknown => {
    const told: Entry[] = [];
    if (lease !== undefined) told.push(written(LEASE_TIME, lease));
    if (t1 !== undefined) told.push(written(RENEWAL_TIME, t1));
    if (t2 !== undefined) told.push(written(REBINDING_TIME, t2));
    const { renewAfter, rebindAfter, validFor } = leaseTimes(new Map(told), 0);
    return [renewAfter, rebindAfter, validFor];
  };
  t.strictSame(times(undefined), [1800, 3150, 3600], 'a server that does not say');
  t.strictSame(times(80), [40, 70, 80]);
  t.strictSame(times(80, 10, 20), [10, 20, 80]);
  t.strictSame(times(80, 0, 0), [40, 70, 80], 'none');
  t.strictSame(times(80, 75, undefined), [40, 70, 80], 'T1 after the usual T2');
  t.strictSame(times(80, 60, 50), [28.571428571428573, 50, 80], 'T1 after T2');
  t.strictSame(times(80, 10, 80), [10, 70, 80], 'T2 at the end');
  t.strictSame(times(80, 0xffffffff, 0xffffffff), [40, 70, 80]);
  t.strictSame(times(80_000, 1, 2), [40_000, 70_000, 80_000], 'nobody can be made to ask all the time');
  t.strictSame(times(80_000, 30, 31), [30, 31, 80_000]);
  t.strictSame(times(10, 1, undefined), [5, 8.75, 10]);
  t.strictSame(times(10, 2, 4), [2, 4, 10]);
  t.strictSame(times(10), [5, 8.75, 10]);
  t.strictSame(times(0xffffffff), [undefined, undefined, undefined], 'for ever');
  t.strictSame(times(0xffffffff, 100, 200), [undefined, undefined, undefined]);
  t.strictSame(times(0xfffffffe), [0x7fffffff, 3758096382.25, 0xfffffffe], 'nearly for ever');
});
