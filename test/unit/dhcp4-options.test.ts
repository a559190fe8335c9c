/** ipam/dhcp/v4/options: each kind of value as the RFCs describe it, and as somebody on the LAN may write it. */
import t from 'tap';
import type { Test } from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { address } from '../../ipam/dhcp/v4/options/address.ts';
import { addressList } from '../../ipam/dhcp/v4/options/address-list.ts';
import { classlessRoutes } from '../../ipam/dhcp/v4/options/classless-routes.ts';
import { clientFqdn } from '../../ipam/dhcp/v4/options/client-fqdn.ts';
import { clientIdentifier } from '../../ipam/dhcp/v4/options/client-identifier.ts';
import type { OptionCodec } from '../../ipam/dhcp/v4/options/codec.ts';
import { domainSearch } from '../../ipam/dhcp/v4/options/domain-search.ts';
import { flag } from '../../ipam/dhcp/v4/options/flag.ts';
import {
  HOST_NAME,
  SUBNET_MASK,
  V6_ONLY_PREFERRED,
  readOption,
  soundOption,
  written,
} from '../../ipam/dhcp/v4/options/known.ts';
import { number16, number32, number8 } from '../../ipam/dhcp/v4/options/number.ts';
import { number16List } from '../../ipam/dhcp/v4/options/number16-list.ts';
import { parameterRequestList } from '../../ipam/dhcp/v4/options/parameter-request-list.ts';
import { staticRoutes } from '../../ipam/dhcp/v4/options/static-routes.ts';
import { OPTION_NAMES, optionCode, optionKind } from '../../ipam/dhcp/v4/options/table.ts';
import { text } from '../../ipam/dhcp/v4/options/text.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function both<Value>(t: Test, codec: OptionCodec<Value>, hex: string, value: Value): void {
  t.strictSame(codec.decode(bytes(hex)), value, hex);
  t.strictSame(codec.encode(value), bytes(hex), hex);
}

function refused<Value>(t: Test, codec: OptionCodec<Value>, ...wrong: readonly string[]): void {
  for (const hex of wrong) t.throws(() => codec.decode(bytes(hex)), DecodeError, hex || 'no bytes');
}

t.test('addresses', async (t) => {
  both(t, address, 'c0000201', '192.0.2.1');
  refused(t, address, '', 'c00002', 'c000020101');
  both(t, addressList, 'c0000201 0a000001', ['192.0.2.1', '10.0.0.1']);
  refused(t, addressList, '', 'c0', 'c0000201 0a0000');
});

t.test('numbers and flags', async (t) => {
  both(t, number8, 'ff', 255);
  both(t, number16, '05dc', 1500);
  both(t, number32, 'ffffffff', 0xffffffff);
  refused(t, number8, '', '0000');
  refused(t, number16, '', '00', '000000');
  refused(t, number32, '', '0000', '0000000000');
  t.throws(() => number16.encode(65_536), RangeError);
  both(t, number16List, '0044 0128', [68, 296]);
  refused(t, number16List, '', '00', '000000');
  both(t, flag, '', true);
  refused(t, flag, '00');
  both(t, parameterRequestList, '010379', [1, 3, 121]);
  refused(t, parameterRequestList, '');
});

t.test('texts', async (t) => {
  both(t, text, '626f6174', 'boat');
  both(t, text, 'c3a9', 'é');
  t.equal(text.decode(bytes('626f61740000')), 'boat');
  refused(t, text, '', '00', '0000', '62006f', '620a6f', '1b5b324a', '62c2856f', 'ff', 'c3', '7f');
});

t.test('client identifiers', async (t) => {
  both(t, clientIdentifier, '01020000000001', '01020000000001');
  refused(t, clientIdentifier, '', '01');
});

t.test('classless routes: the table of RFC 3442', async (t) => {
  for (const [hex, dst] of [
    ['00', '0.0.0.0/0'],
    ['08 0a', '10.0.0.0/8'],
    ['18 0a0000', '10.0.0.0/24'],
    ['10 0a11', '10.17.0.0/16'],
    ['18 0a1b81', '10.27.129.0/24'],
    ['19 0a e5 00 80', '10.229.0.128/25'],
    ['20 0a c6 7a 2f', '10.198.122.47/32'],
  ] as const) {
    both(t, classlessRoutes, `${hex} c0000201`, [{ dst, gw: '192.0.2.1' }]);
    both(t, classlessRoutes, `${hex} 00000000`, [{ dst }]);
  }
  both(t, classlessRoutes, '080ac0000201 00c0000202', [
    { dst: '10.0.0.0/8', gw: '192.0.2.1' },
    { dst: '0.0.0.0/0', gw: '192.0.2.2' },
  ]);
  t.strictSame(classlessRoutes.decode(bytes('0c acff 00000000')), [{ dst: '172.240.0.0/12' }], 'other bits');
  refused(
    t,
    classlessRoutes,
    '',
    '00',
    '00c00002',
    '21 0a0000000000000000',
    'ff',
    '080ac0000201 08',
    '20 0a0000',
  );
});

t.test('static routes', async (t) => {
  both(t, staticRoutes, '0a000000 c0000201', [{ destination: '10.0.0.0', router: '192.0.2.1' }]);
  refused(t, staticRoutes, '', '0a000000', '0a000000 c0000201 0a');
});

t.test('search domains: the example of RFC 3397', async (t) => {
  const packed = '03656e67 056170706c65 03636f6d 00 096d61726b6574696e67 c004';
  both(t, domainSearch, packed, ['eng.apple.com', 'marketing.apple.com']);
  both(t, domainSearch, '036c616e00', ['lan']);
  const many = Array.from({ length: 40 }, (_, index) => `host${index}.some.where.example.org`);
  t.strictSame(domainSearch.decode(domainSearch.encode(many)), many);
  t.ok(domainSearch.encode(many).length < 400);
  both(t, domainSearch, '034c414e00 0161 036c616e00', ['LAN', 'a.lan']);
  const far = [...Array.from({ length: 300 }, (_, index) => `${'a'.repeat(60)}.x${index}.org`), 'q.x299.org'];
  t.strictSame(domainSearch.decode(domainSearch.encode(far)), far, 'further than pointers reach');
});

t.test('search domains that lie', async (t) => {
  refused(t, domainSearch, '', '03', '036c61', '036c616e', 'c0', 'c000', '036c616e c000', '036c616e00 c006');
  refused(
    t,
    domainSearch,
    '036c616e c005 00',
    '40',
    '8000',
    `${'3f'}${'61'.repeat(63)}`.repeat(4).concat('00'),
  );
  t.strictSame(domainSearch.decode(bytes('00 036c616e00 00')), ['lan'], 'the root is no domain to search');
  t.strictSame(domainSearch.decode(bytes('036c206e00 0161 00')), ['a'], 'nor is what no host has');
  const pointers = Buffer.concat([
    bytes('016100'),
    ...Array.from({ length: 700 }, (_, at) => {
      const pointer = at === 0 ? 0 : 1 + at * 2;
      return Buffer.from([0xc0 | (pointer >>> 8), pointer & 255]);
    }),
  ]);
  t.equal(domainSearch.decode(pointers).length, 701, 'pointers to pointers to pointers');
  t.throws(() => domainSearch.encode(['a'.repeat(64)]), RangeError);
  t.throws(() => domainSearch.encode(['a..b']), RangeError);
  t.throws(() => domainSearch.encode([Array(5).fill('a'.repeat(60)).join('.')]), RangeError);
});

t.test('the name in the DNS (RFC 4702)', async (t) => {
  const name = { name: 'boat.lan', partial: false, serverUpdates: true, overridden: false, noUpdate: false };
  both(t, clientFqdn, '050000 04626f6174 036c616e 00', name);
  both(t, clientFqdn, '0e0000 04626f6174', {
    name: 'boat',
    partial: true,
    serverUpdates: false,
    overridden: true,
    noUpdate: true,
  });
  both(t, clientFqdn, '050000', { ...name, name: '', partial: true });
  t.strictSame(clientFqdn.decode(bytes('01ffff 626f6174 2e6c616e 2e')), name, 'the older form');
  t.strictSame(clientFqdn.decode(bytes('010000 626f6174')), { ...name, name: 'boat', partial: true });
  t.strictSame(clientFqdn.decode(bytes('010000')), { ...name, name: '', partial: true });
  refused(
    t,
    clientFqdn,
    '',
    '0000',
    '040000 05626f6174',
    '040000 016100 0162',
    '000000 612062',
    '040000 02 0a61 00',
  );
});

t.test('the table', async (t) => {
  for (const [name, code] of Object.entries({
    'subnet-mask': 1,
    routers: 3,
    'domain-name-servers': 6,
    'host-name': 12,
    'interface-mtu': 26,
    'ntp-servers': 42,
    'vendor-class-identifier': 60,
    'dhcp-client-identifier': 61,
    'user-class': 77,
    'domain-search': 119,
    hostname: 12,
    1: 1,
    224: 224,
    254: 254,
  }))
    t.equal(optionCode(name), code, name);
  for (const wrong of [
    '',
    '0',
    '255',
    '256',
    '01',
    '1.0',
    '-1',
    'router-s',
    'constructor',
    '__proto__',
    ' 1',
  ])
    t.equal(optionCode(wrong), undefined, JSON.stringify(wrong));
  t.equal(optionKind(26).codec, number16);
  t.equal(optionKind(224).name, '224');
  t.strictSame(optionKind(224).codec.decode(bytes('01')), bytes('01'));
  t.ok(OPTION_NAMES.every((name) => /^[a-z0-9-]+$/.test(name)));
  t.equal(new Set(OPTION_NAMES).size, OPTION_NAMES.length);
  for (let code = 1; code < 255; code++) t.equal(optionCode(optionKind(code).name), code, `option ${code}`);
});

t.test('reading them out of a message', async (t) => {
  const options = new Map([
    written(SUBNET_MASK, '255.0.0.0'),
    written(V6_ONLY_PREFERRED, 1800),
    [12, Buffer.alloc(3)],
  ]);
  t.equal(readOption(options, SUBNET_MASK), '255.0.0.0');
  t.equal(readOption(options, V6_ONLY_PREFERRED), 1800);
  t.throws(() => readOption(options, HOST_NAME), DecodeError);
  t.equal(soundOption(options, HOST_NAME), undefined);
  t.equal(soundOption(new Map(), SUBNET_MASK), undefined);
});
