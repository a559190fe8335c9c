/** ipam/dhcp/v4/message.ts: heads, long options, options in other fields, limits. */
import t from 'tap';
import type { Test } from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { EMPTY_MESSAGE, MESSAGE_LIMIT, decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import { messageType, messageTypeNumber } from '../../ipam/dhcp/v4/message-type.ts';
import { MAC } from './dhcp4-messages.ts';

const [SNAME, FILE, OPTIONS] = [44, 108, 240];

function message(options: readonly (readonly [number, Buffer])[], more: Partial<Message4> = {}): Message4 {
  return {
    ...EMPTY_MESSAGE,
    op: 'reply',
    type: 'ack',
    xid: 0xfedcba98,
    chaddr: MAC,
    options: new Map(options),
    ...more,
  };
}

const bytesOf = (length: number, fill = 7): Buffer => Buffer.alloc(length, fill);

/** A message whose options field is exactly this. */
function withField(hex: string, change?: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.concat([encodeMessage(message([])).subarray(0, OPTIONS), Buffer.from(hex, 'hex')]);
  change?.(bytes);
  return bytes;
}

const same = (t: Test, told: Message4, limit?: number): Buffer => {
  const bytes = encodeMessage(told, limit);
  t.strictSame(decodeMessage(bytes), told);
  t.ok(bytes.length >= 300 && bytes.length <= (limit ?? MESSAGE_LIMIT), `${bytes.length} bytes`);
  return bytes;
};

const refused = (t: Test, bytes: Buffer, what: string): unknown =>
  t.throws(() => decodeMessage(bytes), DecodeError, what);

t.test('the head', async (t) => {
  same(t, message([]));
  const full = message([], {
    op: 'request',
    type: 'discover',
    hops: 3,
    secs: 65535,
    broadcast: true,
    ciaddr: '192.0.2.1',
    yiaddr: '192.0.2.2',
    siaddr: '255.255.255.255',
    giaddr: '10.0.0.1',
    sname: 'boot server',
    file: 'f'.repeat(127),
  });
  const bytes = same(t, full);
  const head = '01010603 fedcba98 ffff 8000 c0000201 c0000202 ffffffff 0a000001 020000000001 0000';
  t.equal(bytes.toString('hex', 0, 36), head.replaceAll(' ', ''));
  t.equal(
    encodeMessage(message([], { secs: 1e6 })).readUInt16BE(8),
    65535,
    'as many seconds as there is room for',
  );
});

t.test('texts in the head', async (t) => {
  same(t, message([], { sname: 's'.repeat(63), file: 'f'.repeat(127) }));
  t.throws(() => encodeMessage(message([], { sname: 's'.repeat(64) })), RangeError);
  t.throws(() => encodeMessage(message([], { file: 'f'.repeat(128) })), RangeError);
  const endless = withField('350105ff', (bytes) => bytes.fill('x', SNAME, OPTIONS - 4));
  const { sname, file } = decodeMessage(endless);
  t.strictSame([sname, file], ['x'.repeat(63), 'x'.repeat(127)], 'without an end');
});

t.test('types', async (t) => {
  for (let number = 1; number <= 18; number++) {
    const type = messageType(number);
    if (type === undefined) throw new Error(`type ${number}`);
    t.equal(messageTypeNumber(type), number);
    same(t, message([], { type }));
  }
  t.equal(messageTypeNumber('inform'), 8);
  for (const number of [0, 19, 255]) t.equal(messageType(number), undefined);
});

t.test('options keep their order, padding and what is behind the end do not count', async (t) => {
  const { options } = decodeMessage(
    withField('0000 3501 05 00 0c 01 61 00 03 04 0a000001 ff 0f0162'.replaceAll(' ', '')),
  );
  t.strictSame(
    [...options],
    [
      [12, Buffer.from('a')],
      [3, Buffer.from([10, 0, 0, 1])],
    ],
  );
  t.equal(decodeMessage(withField('350105')).type, 'ack', 'without an end');
});

t.test('long options are told in parts (RFC 3396)', async (t) => {
  for (const length of [0, 1, 254, 255, 256, 510, 511, 765, 1000]) {
    const bytes = same(
      t,
      message([
        [43, bytesOf(length)],
        [12, Buffer.from('z')],
      ]),
    );
    const parts = Math.max(1, Math.ceil(length / 255));
    t.equal(
      bytes.lastIndexOf(Buffer.from([12, 1, 0x7a])),
      OPTIONS + 3 + length + 2 * parts,
      `${length} bytes`,
    );
  }
  const apart = decodeMessage(withField('350105 2b02 0102 0c0161 2b01 03 ff'.replaceAll(' ', '')));
  t.strictSame(apart.options.get(43), Buffer.from([1, 2, 3]), 'other options between them');
});

t.test('options in the fields of the head (RFC 2132, section 9.3)', async (t) => {
  const field = (text: string, at: number) => (bytes: Buffer) => bytes.set(Buffer.from(text, 'hex'), at);
  const inFile = decodeMessage(withField('350105340101ff', field('0c0161ff', FILE)));
  t.strictSame([...inFile.options], [[12, Buffer.from('a')]]);
  t.equal(inFile.file, '');
  const both = withField('3501053401030c0161ff', (bytes) => {
    field('0c0162ff', FILE)(bytes);
    field('0c01630f0164', SNAME)(bytes);
  });
  t.strictSame(
    [...decodeMessage(both).options],
    [
      [12, Buffer.from('abc')],
      [15, Buffer.from('d')],
    ],
    'in the order of RFC 3396',
  );
  const inSname = decodeMessage(
    withField('350105340102ff', (bytes) => {
      field('0c0163ff', SNAME)(bytes);
      field('70786500', FILE)(bytes);
    }),
  );
  t.strictSame([[...inSname.options], inSname.file, inSname.sname], [[[12, Buffer.from('c')]], 'pxe', '']);
  refused(t, withField('350105340101ff', field('0cff61', FILE)), 'an option beyond the field');
  for (const overload of ['340104', '34020101', '3400', '340101340101'])
    refused(t, withField(`350105${overload}ff`), `overload ${overload}`);
});

t.test('what has no room in a small message goes into the head', async (t) => {
  const limit = 548;
  const many = [...Array(11).keys()].map((code): [number, Buffer] => [100 + code, bytesOf(40, code)]);
  const bytes = same(t, message(many), limit);
  t.not(bytes.indexOf(Buffer.from([52, 1, 3])), -1, 'both fields');
  const file = same(t, message(many.slice(0, 10), { sname: 'a server' }), limit);
  t.not(file.indexOf(Buffer.from([52, 1, 1])), -1, 'only the free one');
  same(t, message([[43, bytesOf(470)]]), limit);
  same(
    t,
    message([
      [43, bytesOf(255)],
      [44, bytesOf(200, 9)],
    ]),
    limit,
  );
  t.throws(() => encodeMessage(message(many, { sname: 'a', file: 'b' }), limit), RangeError);
  t.throws(() => encodeMessage(message([[43, bytesOf(500)]]), limit), RangeError);
  t.throws(() => encodeMessage(message([[43, bytesOf(1500)]])), RangeError);
  for (let length = 280; length < 480; length++) {
    const told = message([
      [43, bytesOf(length)],
      [12, Buffer.from('z')],
    ]);
    t.strictSame(decodeMessage(encodeMessage(told, limit)), told, `${length} bytes`);
  }
});

t.test('what is no DHCP message', async (t) => {
  const whole = encodeMessage(message([[12, Buffer.from('name')]]));
  for (let length = 0; length < OPTIONS + 9; length++)
    if (length !== OPTIONS + 3) refused(t, whole.subarray(0, length), `cut at ${length}`);
  refused(t, Buffer.concat([whole, Buffer.alloc(MESSAGE_LIMIT)]), 'too long');
  const changed = (at: number, byte: number): Buffer => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(byte, at);
    return bytes;
  };
  refused(t, changed(0, 3), 'op 3');
  refused(t, changed(0, 0), 'op 0');
  refused(t, changed(1, 6), 'hardware that is not Ethernet');
  refused(t, changed(2, 16), 'an address of 16 bytes');
  refused(t, changed(236, 0), 'no cookie');
  refused(t, withField('0c0161ff'), 'BOOTP');
  for (const type of ['3500', '350100', '350113', '35020505', '350105350105'])
    refused(t, withField(`${type}ff`), `type ${type}`);
  refused(t, withField('350105 0c'.replace(' ', '')), 'a code alone');
  refused(t, withField('350105 0c05 61'.replaceAll(' ', '')), 'a length that lies');
});
