/** DHCPv4 as clients and servers in use speak it (test/golden/dhcp): read whole, and written again to the same. */
import t from 'tap';
import { decodeFrame, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import {
  CLASSLESS_ROUTES,
  CLIENT_IDENTIFIER,
  DOMAIN_NAME_SERVERS,
  DOMAIN_SEARCH,
  HOST_NAME,
  INTERFACE_MTU,
  LEASE_TIME,
  REQUESTED_ADDRESS,
  ROUTERS,
  SERVER_IDENTIFIER,
  SUBNET_MASK,
  readOption,
} from '../../ipam/dhcp/v4/options/known.ts';
import { optionKind } from '../../ipam/dhcp/v4/options/table.ts';
import { captures4 } from './dhcp-captures.ts';

const captures = captures4();
const OPTIONS = 240;
const END = 255;

function messageOf(frame: Buffer): Message4 {
  return decodeMessage(decodeFrame(frame).payload);
}

/**
 * The head, and the options, in any order: some have their type, which we write first, elsewhere. Where a long one is
 * cut is the sender's choice (RFC 3396).
 */
function essence(bytes: Buffer): readonly string[] {
  const options = new Map<number, string>();
  for (let at = OPTIONS; at < bytes.length && bytes[at] !== END; ) {
    const next = bytes[at] === 0 ? at + 1 : at + 2 + (bytes[at + 1] ?? 0);
    const code = bytes[at] ?? 0;
    if (next > at + 1)
      options.set(code, (options.get(code) ?? `${code} `) + bytes.toString('hex', at + 2, next));
    at = next;
  }
  return [bytes.toString('hex', 0, OPTIONS), ...[...options.values()].sort()];
}

t.test('all are read, and written again to the same bytes', async (t) => {
  t.ok(captures.length > 60, `${captures.length} messages`);
  for (const { name, type, frame } of captures) {
    const { payload } = decodeFrame(frame);
    const message = decodeMessage(payload);
    t.equal(message.type, type, name);
    t.strictSame(essence(encodeMessage(message)), essence(payload), name);
  }
});

t.test('frames are ours but for what each sender chooses', async (t) => {
  for (const { name, frame } of captures) {
    const told = decodeFrame(frame);
    t.strictSame(decodeFrame(encodeFrame(told)), told, name);
  }
});

t.test('every option in them is sound, and is written again to the same', async (t) => {
  const kinds = new Set<string>();
  for (const { name, file, frame } of captures) {
    for (const [code, bytes] of messageOf(frame).options) {
      const { codec, name: option } = optionKind(code);
      const value = codec.decode(bytes);
      kinds.add(option);
      // Kea does not compress names.
      if (option === 'domain-search' && file.includes('kea')) continue;
      t.equal(codec.encode(value).toString('hex'), bytes.toString('hex'), `${name}: ${option}`);
    }
  }
  t.comment([...kinds].join(' '));
  t.ok(kinds.size > 15);
});

t.test('what servers tell', async (t) => {
  const acks = captures.filter(
    ({ file, type }) => /^udhcpc-(dnsmasq|kea|dhcpd)$/.test(file) && type === 'ack',
  );
  t.ok(acks.length >= 3);
  for (const { name, frame } of acks) {
    const { options } = messageOf(frame);
    const told = [SUBNET_MASK, ROUTERS, DOMAIN_NAME_SERVERS, DOMAIN_SEARCH, INTERFACE_MTU, CLASSLESS_ROUTES];
    t.strictSame(
      told.map((option) => readOption<unknown>(options, option)),
      [
        '255.255.255.0',
        ['192.0.2.1'],
        ['192.0.2.53', '192.0.2.54', '198.51.100.53'],
        ['lan.example', 'example', 'with.a.long.name.lan.example'],
        1400,
        [
          { dst: '10.0.0.0/8', gw: '192.0.2.2' },
          { dst: '172.16.0.0/12', gw: '192.0.2.3' },
          { dst: '0.0.0.0/0', gw: '192.0.2.1' },
        ],
      ],
      name,
    );
    t.equal(readOption(options, SERVER_IDENTIFIER), '192.0.2.1', name);
    t.equal(readOption(options, LEASE_TIME), 120, name);
  }
});

t.test('what clients tell', async (t) => {
  for (const { name, frame } of captures.filter(({ type }) => type === 'release')) {
    const { options, ciaddr } = messageOf(frame);
    t.not(ciaddr, '0.0.0.0', name);
    t.equal(readOption(options, REQUESTED_ADDRESS), undefined, name);
    t.ok(readOption(options, SERVER_IDENTIFIER), name);
  }
  for (const { name, frame } of captures.filter(({ type }) => type === 'decline'))
    t.ok(readOption(messageOf(frame).options, REQUESTED_ADDRESS), name);
  const discover = (client: string): Message4['options'] => {
    const found = captures.find(({ type, file }) => type === 'discover' && file === client);
    return messageOf(found?.frame ?? Buffer.alloc(0)).options;
  };
  t.equal(readOption(discover('udhcpc-dnsmasq'), HOST_NAME), 'boat');
  t.equal(readOption(discover('dhcpcd-dnsmasq'), CLIENT_IDENTIFIER), '0102005e005602');
});
