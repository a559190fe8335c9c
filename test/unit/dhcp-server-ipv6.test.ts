/** Router advertisements field by field, and answers to INFORMATION-REQUEST. */
import t from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { HOPS, isSolicitation, routerAdvertisement } from '../../ipam/dhcp/server/advertisement.ts';
import { ICMPV6, decodeFrame6, encodeFrame6, groupMac } from '../../ipam/dhcp/server/ipv6-frame.ts';
import { linkDuid, statelessReply, tellsDns } from '../../ipam/dhcp/server/stateless.ts';
import { decodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import type { Message6 } from '../../ipam/dhcp/v6/message.ts';
import { captures6 } from '../golden/dhcp6-captures.ts';

const MAC = '02:00:00:00:00:01';
const DNS = { nameservers: ['10.0.0.1', 'fd00::53'], search: ['lab.example'] };

/** Options of an advertisement: type, and what follows the length. */
function optionsOf(advertisement: Buffer): Map<number, string> {
  const found = new Map<number, string>();
  for (let at = 16; at < advertisement.length; ) {
    const length = advertisement.readUInt8(at + 1) * 8;
    found.set(advertisement.readUInt8(at), advertisement.toString('hex', at + 2, at + length));
    at += length;
  }
  return found;
}

t.test('an advertisement', async (t) => {
  const message = routerAdvertisement({
    mac: MAC,
    prefixes: ['fd00:77::/64'],
    dns: DNS,
    mtu: 1400,
    other: true,
  });
  t.equal(message.toString('hex', 0, 16), '86000000' + '40400708' + '00000000' + '00000000');
  t.strictSame(
    [...optionsOf(message)],
    [
      [1, '020000000001'],
      [5, `0000${'00000578'}`],
      [3, `40c0${'00015180'}${'00003840'}${'00000000'}fd000077${'0'.repeat(24)}`],
      [25, `0000${'00000708'}fd00${'0'.repeat(24)}0053`],
      [31, `0000${'00000708'}036c616207${Buffer.from('example').toString('hex')}00${'000000'}`],
    ],
  );
});

t.test('the last one', async (t) => {
  const message = routerAdvertisement({
    mac: MAC,
    prefixes: ['fd00:77::/64'],
    dns: DNS,
    other: false,
    ceases: true,
  });
  t.equal(message.readUInt16BE(6), 0, 'no router any more');
  t.equal(message.readUInt8(5), 0);
  t.match(optionsOf(message).get(3), /^40c00001518000000000/, 'no new addresses, those in use stay valid');
  t.match(optionsOf(message).get(25), /^000000000000/);
});

function solicitation(payload: string, { hops = HOPS, address = 'fe80::1' } = {}): boolean {
  const from = { mac: MAC, address };
  const to = { mac: groupMac('ff02::2'), address: 'ff02::2' };
  const frame = encodeFrame6({ from, to, protocol: ICMPV6, hops, payload: Buffer.from(payload, 'hex') });
  return isSolicitation(decodeFrame6(frame));
}

t.test('who asks for one', async (t) => {
  const bare = '8500000000000000';
  t.equal(solicitation(bare), true);
  t.equal(solicitation(bare, { address: '::' }), true);
  t.equal(solicitation(`${bare}0101020000000001`), true);
  t.equal(solicitation(bare, { hops: 64 }), false, 'it came from elsewhere');
  t.equal(solicitation(`${bare}0101020000000001`, { address: '::' }), false);
  t.equal(solicitation(`${bare}0100020000000001`), false, 'an option of no length');
  t.equal(solicitation(`${bare}0102020000000001`), false, 'one beyond the end');
  t.equal(solicitation('8600000000000000'), false);
  const frame = encodeFrame6({
    from: { mac: MAC, address: 'fe80::1' },
    to: { mac: groupMac('ff02::2'), address: 'ff02::2' },
    ...{ protocol: ICMPV6, hops: HOPS, payload: Buffer.from(bare, 'hex') },
  });
  frame.writeUInt8(frame.readUInt8(60) ^ 1, 60);
  t.throws(() => decodeFrame6(frame), DecodeError, 'a damaged one');
});

t.test('only a question for information is answered', async (t) => {
  const server = linkDuid(MAC);
  t.equal(server, '00030001020000000001');
  const types = new Map<string, number>();
  for (const { name, messages } of captures6()) {
    // Those between relays and servers are none of ours.
    for (const { payload } of messages.filter((each) => ![12, 13].includes(each.payload.readUInt8(0)))) {
      const message = decodeMessage6(payload);
      const reply = statelessReply(message, server, DNS);
      if (message.type === 'INFORMATION-REQUEST')
        t.match(
          reply,
          {
            type: 'REPLY',
            transaction: message.transaction,
            options: { clientId: message.options.clientId },
          },
          name,
        );
      else t.equal(reply, undefined, `${name}: ${message.type}`);
      types.set(message.type, (types.get(message.type) ?? 0) + 1);
    }
  }
  t.ok(types.has('INFORMATION-REQUEST') && types.size > 5, 'all of it was tried');
});

t.test('what is told is what was asked for', async (t) => {
  const ask = (options: Message6['options']): Message6 | undefined =>
    statelessReply({ type: 'INFORMATION-REQUEST', transaction: 9, options }, linkDuid(MAC), DNS);
  t.strictSame(ask({ optionRequest: [23, 24] })?.options, {
    serverId: linkDuid(MAC),
    dnsServers: ['fd00::53'],
    domainList: ['lab.example'],
  });
  t.strictSame(ask({ clientId: '000300010203', optionRequest: [24] })?.options, {
    clientId: '000300010203',
    serverId: linkDuid(MAC),
    domainList: ['lab.example'],
  });
  t.equal(ask({ serverId: '00030001ffffffffffff' }), undefined, 'meant for another');
  t.equal(tellsDns({ nameservers: ['10.0.0.1'], search: [] }), false);
});
