/** lib/netlink/nd-option.ts: options as RFC 8106 describes them, and as somebody on the LAN may write them. */
import t from 'tap';
import { addressBytes, parseAddress } from '../../lib/base/ip.ts';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { decodeNdOption } from '../../lib/netlink/nd-option.ts';

const ROUTER = parseAddress('fe80::1');

interface Header {
  readonly family?: number;
  readonly icmpType?: number;
  readonly optionsLength?: number;
}

/** struct nduseroptmsg, the options, and NDUSEROPT_SRCADDR. */
function message(options: Buffer, header: Header = {}): { data: Buffer } {
  const { family = 10, icmpType = 134, optionsLength = options.length } = header;
  const head = Buffer.alloc(16);
  head.writeUInt8(family, 0);
  head.writeUInt16LE(optionsLength, 2);
  head.writeUInt32LE(7, 4);
  head.writeUInt8(icmpType, 8);
  return { data: Buffer.concat([head, options, Buffer.from([20, 0, 1, 0]), addressBytes(ROUTER)]) };
}

/** The option of a type and lifetime, filled up with zeros to units of eight bytes. */
function option(type: number, lifetime: number, body: Buffer): Buffer {
  const units = Math.ceil((8 + body.length) / 8);
  const bytes = Buffer.alloc(units * 8);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(units, 1);
  bytes.writeUInt32BE(lifetime, 4);
  body.copy(bytes, 8);
  return bytes;
}

function name(...labels: readonly string[]): Buffer {
  const parts = labels.map((label) => Buffer.from(label, 'latin1'));
  return Buffer.concat([...parts.flatMap((part) => [Buffer.from([part.length]), part]), Buffer.alloc(1)]);
}

const dnssl = (...names: readonly Buffer[]): { data: Buffer } =>
  message(option(31, 60, Buffer.concat(names)));
const rdnss = (...servers: readonly string[]): Buffer =>
  option(25, 60, Buffer.concat(servers.map((server) => addressBytes(parseAddress(server)))));
const domains = (...names: readonly Buffer[]): unknown => decodeNdOption(dnssl(...names)).dnssl?.domains;

t.test('resolvers', async (t) => {
  const servers = ['2001:db8::53', 'fe80::53'];
  t.strictSame(decodeNdOption(message(rdnss(...servers))), {
    index: 7,
    from: ROUTER,
    rdnss: { lifetime: 60, servers: servers.map(parseAddress) },
  });
  const many = Array.from({ length: 127 }, (_, number) => `2001:db8::${number}`);
  t.equal(decodeNdOption(message(rdnss(...many))).rdnss?.servers.length, 127, 'as many as there can be');
  const forever = option(25, 0xffffffff, addressBytes(ROUTER));
  t.equal(decodeNdOption(message(forever)).rdnss?.lifetime, 0xffffffff);
});

t.test('search domains', async (t) => {
  t.strictSame(decodeNdOption(dnssl(name('example', 'org'), name('lan'))), {
    index: 7,
    from: ROUTER,
    dnssl: { lifetime: 60, domains: ['example.org', 'lan'] },
  });
  t.strictSame(domains(name('xn--bcher-kva', 'Example', 'org')), ['xn--bcher-kva.Example.org']);
  t.strictSame(domains(name('_tcp', 'a-b', '4')), ['_tcp.a-b.4']);
  t.strictSame(domains(Buffer.alloc(0)), [], 'none');
  t.strictSame(domains(Buffer.alloc(32)), [], 'nothing but filling');
  const full = Array.from({ length: 677 }, () => name('a'));
  t.equal((domains(...full) as string[]).length, 677, 'as many as there can be');
});

t.test('domains that are no names of hosts are left out, the others are told', async (t) => {
  const bad: Readonly<Record<string, readonly string[]>> = {
    'a blank': ['a b'],
    'a line break': ['a\nnameserver 192.0.2.1'],
    'a NUL': ['a\0b'],
    'a dot in a label': ['a.b', 'org'],
    'beyond ASCII': ['caf\u00e9'],
    'a hyphen first': ['-a'],
    'a hyphen last': ['a-'],
    'a control sequence': ['\u001b[2J'],
    'over 253 characters': Array.from({ length: 5 }, () => 'a'.repeat(60)),
  };
  for (const [what, labels] of Object.entries(bad))
    t.strictSame(domains(name('one'), name(...labels), name('two')), ['one', 'two'], what);
  const longest = [...Array.from({ length: 3 }, () => 'a'.repeat(63)), 'a'.repeat(61)];
  t.strictSame(domains(name(...longest)), [longest.join('.')], '253 characters');
});

t.test('what is cut off, or without end', async (t) => {
  const refused = (told: { data: Buffer }, what: string): unknown =>
    t.throws(() => decodeNdOption(told), DecodeError, what);
  const whole = option(31, 60, name('abcdefg'));
  refused(message(Buffer.from([31, 0, 0, 0, 0, 0, 0, 60])), 'an option of no length');
  refused(message(Buffer.from([31])), 'half a head');
  refused(message(whole.subarray(0, 16)), 'an option longer than all of them');
  refused(message(whole, { optionsLength: 60 }), 'longer than the message');
  refused(message(Buffer.from('1f020000000000000861626364656667', 'hex')), 'a label beyond the end');
  refused(message(Buffer.from('1f020000000000000761626364656667', 'hex')), 'a name without end');
  refused(dnssl(Buffer.from([0xc0, 8])), 'compression');
  refused(dnssl(Buffer.from([64, ...Buffer.alloc(64, 97), 0])), 'a label of 64');
  refused(message(option(25, 60, Buffer.alloc(0))), 'no resolver');
  refused(message(option(25, 60, Buffer.alloc(24))), 'a resolver and a half');
  refused(message(whole, { family: 2 }), 'another family');
  refused(message(whole, { icmpType: 137 }), 'a redirect');
  refused({ data: Buffer.alloc(15) }, 'less than a header');
});

t.test('other options, and several in one message', async (t) => {
  const prefix = option(3, 60, Buffer.alloc(24));
  t.strictSame(decodeNdOption(message(prefix)), { index: 7, from: ROUTER });
  t.strictSame(decodeNdOption(message(Buffer.alloc(0))), { index: 7, from: ROUTER });
  const all = Buffer.concat([
    prefix,
    rdnss('2001:db8::1'),
    rdnss('2001:db8::2'),
    option(31, 60, name('lan')),
  ]);
  t.match(decodeNdOption(message(all)), {
    rdnss: { servers: [parseAddress('2001:db8::1')] },
    dnssl: { domains: ['lan'] },
  });
});
