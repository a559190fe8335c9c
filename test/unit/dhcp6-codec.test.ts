/** Messages of DHCPv6 as bytes: limits, and what is refused, kept or left out. */
import t from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { readDuid, writeDuid } from '../../ipam/dhcp/v6/duid.ts';
import { decodeMessage6, encodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import type { Options6 } from '../../ipam/dhcp/v6/message.ts';
import { OPTION_CODES } from '../../ipam/dhcp/v6/option-names.ts';

/** A REPLY with these options, in hexadecimal. */
function reply(options: string): Options6 {
  return decodeMessage6(Buffer.from(`07abcdef${options}`, 'hex')).options;
}

function written(options: Options6): string {
  return encodeMessage6({ type: 'REPLY', transaction: 0xabcdef, options }).toString('hex', 4);
}

const ADDRESS = '20010db8000000000000000000000001';

t.test('the head', async (t) => {
  t.strictSame(decodeMessage6(Buffer.from('0100000a', 'hex')), {
    type: 'SOLICIT',
    transaction: 10,
    options: {},
  });
  for (const bad of ['', '01', '010000', '00000000', '0c000000', '0d000000', 'ff000000'])
    t.throws(() => decodeMessage6(Buffer.from(bad, 'hex')), DecodeError, bad);
});

t.test('options that are cut off', async (t) => {
  for (const bad of ['00', '0001', '000100', '00010001', '0001000a00', '00000000' + '0001ffff00'])
    t.throws(() => reply(bad), DecodeError, bad);
});

t.test('options without which nothing works', async (t) => {
  const cases: Record<string, string> = {
    'a DUID of two bytes': '000100020001',
    'a DUID of 131 bytes': `00020083${'00'.repeat(131)}`,
    'an IA_NA of 11 bytes': `0003000b${'00'.repeat(11)}`,
    'an IA_PD of 11 bytes': `0019000b${'00'.repeat(11)}`,
    'an address of 23 bytes': `00030027${'00'.repeat(12)}00050017${'00'.repeat(23)}`,
    'a prefix of 24 bytes': `00190028${'00'.repeat(12)}001a0018${'00'.repeat(24)}`,
    'a prefix of 129 bits': `00190029${'00'.repeat(12)}001a0019${'00'.repeat(8)}81${'00'.repeat(16)}`,
    'half an option in an IA_NA': `0003000e${'00'.repeat(12)}0005`,
    'a status of one byte': '000d000100',
    'a preference of two bytes': '000700020000',
    'an elapsed time of one byte': '0008000100',
    'a rapid commit with something in it': '000e000100',
    'half a requested option': '0006000100',
  };
  for (const [what, bad] of Object.entries(cases)) t.throws(() => reply(bad), DecodeError, what);
});

t.test('options that only inform are kept as they came where they cannot be read', async (t) => {
  const cases: Record<string, [code: number, data: string]> = {
    'half a resolver': [23, ADDRESS.slice(2)],
    'a domain without end': [24, '0161'],
    'a label over the end': [24, '0a61'],
    'a label of 64 bytes': [24, `40${'61'.repeat(64)}00`],
    'a compressed name': [24, '0161c000'],
    'a refresh time of three bytes': [32, '000000'],
    'a name of a client with nothing': [39, ''],
    'a name of a client with two names': [39, '0001610001620000'],
    'no name of a host': [39, '0002612000'],
    'a SOL_MAX_RT of one byte': [82, '00'],
    'an INF_MAX_RT of five bytes': [83, '0000000000'],
    'a user class that is cut off': [15, '0002aa'],
    'a vendor class without a vendor': [16, '000000'],
    'no time server': [56, ''],
  };
  for (const [what, [code, data]] of Object.entries(cases)) {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(code, 0);
    head.writeUInt16BE(data.length / 2, 2);
    const option = head.toString('hex') + data;
    t.strictSame(reply(option), { others: [{ code, data }] }, what);
    t.equal(written(reply(option)), option, what);
  }
});

t.test('domains', async (t) => {
  t.strictSame(reply('0018000d0161076578616d706c65000100'.replace('000d', '000b').slice(0, 30)).domainList, [
    'a.example',
  ]);
  t.strictSame(
    reply('001800070003612e6200' + '00').domainList,
    [],
    'a dot in a label, and the root, are left out',
  );
  t.strictSame(reply('00180006' + '015f000162' + '00').domainList, ['_', 'b']);
  for (const bad of [
    '',
    'a..b',
    '-a',
    `${'a'.repeat(64)}.b`,
    'a.',
    'a b',
    Array.from({ length: 128 }, () => 'ab').join('.'),
  ])
    t.throws(() => written({ domainList: [bad] }), RangeError, bad);
});

t.test('names of clients: whole, a part, none', async (t) => {
  for (const [name, bytes] of [
    ['boat.example.', '0104626f6174076578616d706c6500'],
    ['boat', '0104626f6174'],
    ['', '01'],
  ] as const) {
    t.ok(written({ clientFqdn: { flags: 1, name } }).endsWith(bytes));
    t.strictSame(reply(written({ clientFqdn: { flags: 1, name } })), { clientFqdn: { flags: 1, name } });
  }
});

t.test('of an option that comes once the first counts', async (t) => {
  t.strictSame(reply('0007000101' + '0007000102'), { preference: 1 });
  const bad = '00170001aa';
  t.strictSame(reply(`${bad}00170010${ADDRESS}`), { others: [{ code: 23, data: 'aa' }] }, 'even a bad one');
});

t.test('options inside options are bounded in number, together', async (t) => {
  const many = (count: number): string => '00630000'.repeat(count);
  t.equal(reply(many(1000)).others?.length, 1000);
  t.throws(() => reply(many(1001)), DecodeError);
  const nested = `0003${(12 + 4 * 999).toString(16).padStart(4, '0')}${'00'.repeat(12)}${many(999)}`;
  t.equal(reply(nested).iaNa?.[0]?.options.others?.length, 999);
  t.throws(() => reply(nested + many(1)), DecodeError);
});

t.test('options inside options are bounded in depth', async (t) => {
  let inner = '';
  for (let depth = 0; depth < 100; depth++)
    inner = `0003${(12 + inner.length / 2).toString(16).padStart(4, '0')}${'00'.repeat(12)}${inner}`;
  const [outer] = reply(inner).iaNa ?? [];
  t.match(outer?.options.others, [{ code: 3 }], 'an association in an association is bytes');
});

t.test('what is not hexadecimal, no address or too long cannot be written', async (t) => {
  t.throws(() => written({ clientId: 'zz' }), RangeError);
  t.throws(() => written({ clientId: '0001' }), RangeError);
  t.throws(() => written({ others: [{ code: 99, data: 'abc' }] }), RangeError);
  t.throws(() => written({ dnsServers: ['10.0.0.1'] }), { name: 'AddressError' });
  t.throws(() => written({ preference: 256 }), RangeError);
  t.throws(() => written({ nonsense: 1 } as Options6), RangeError);
});

t.test('names keep the order of the wire', async (t) => {
  const options = '0007000101' + '00630001aa' + '00020003000401' + '00640000' + '00010003000402';
  t.strictSame(Object.keys(reply(options)), ['preference', 'others', 'serverId', 'clientId']);
  t.equal(written(reply('0007000101' + '00020003000401')), '0007000101' + '00020003000401');
});

t.test('DUIDs', async (t) => {
  for (const [digits, duid] of [
    [
      '0001000132' + '94e57d02005e005601',
      { type: 'LLT', hardware: 1, seconds: 0x3294e57d, address: '02005e005601' },
    ],
    ['00020000ab11dede0fabf5e9fca3', { type: 'EN', enterprise: 0xab11, identifier: 'dede0fabf5e9fca3' }],
    ['0003000102005e005602', { type: 'LL', hardware: 1, address: '02005e005602' }],
    ['000400112233445566778899aabbccddeeff', { type: 'UUID', uuid: '00112233445566778899aabbccddeeff' }],
    ['0004001122', { type: 'opaque', data: '0004001122' }],
    ['00990011', { type: 'opaque', data: '00990011' }],
    ['000100013294e57d', { type: 'opaque', data: '000100013294e57d' }],
  ] as const) {
    t.strictSame(readDuid(digits), duid);
    t.equal(writeDuid(readDuid(digits)), digits);
  }
  t.throws(() => readDuid('0001'), RangeError);
});

t.test('names of options', async (t) => {
  t.strictSame(
    ['dns-servers', 'domain-list', 'ntp-server', 'client-fqdn', 'sol-max-rt'].map((name) =>
      OPTION_CODES.get(name),
    ),
    [23, 24, 56, 39, 82],
  );
  t.equal(new Set(OPTION_CODES.values()).size, OPTION_CODES.size);
  t.ok([...OPTION_CODES.keys()].every((name) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)));
});
