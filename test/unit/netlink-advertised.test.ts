/** lib/netlink/advertised.ts and announced-prefix.ts: what is remembered of routers, and how much of it. */
import t from 'tap';
import { addressBytes, formatAddress, formatPrefix, parseAddress } from '../../lib/base/ip.ts';
import { MOST_REMEMBERED, hear, nothingAdvertised } from '../../lib/netlink/advertised.ts';
import { decodeAnnouncedPrefix } from '../../lib/netlink/announced-prefix.ts';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import type { NetlinkMessage } from '../../lib/netlink/socket.ts';

const RTM_DELADDR = 21;
const RTM_NEWPREFIX = 52;
const RTM_NEWNDUSEROPT = 68;
const LINK = 3;

function message(type: number, data: Buffer): NetlinkMessage {
  return { type, flags: 0, seq: 0, data };
}

/** struct prefixmsg and PREFIX_ADDRESS, as kernel 6.18 sent it for ifindex 3 but for what is given. */
function prefix(address: string, length = 64, flags = 0xc0, index = LINK): Buffer {
  const head = Buffer.from('0a00000003000000034080001400010020010db8000900000000000000000000', 'hex');
  head.writeInt32LE(index, 4);
  head.set([length, flags], 9);
  head.set(addressBytes(parseAddress(address)), 16);
  return head;
}

/** struct nduseroptmsg and an option of RDNSS. */
function rdnss(servers: readonly string[], lifetime = 600): Buffer {
  const option = Buffer.alloc(8 + 16 * servers.length);
  option.set([25, 1 + 2 * servers.length]);
  option.writeUInt32BE(lifetime, 4);
  for (const [i, server] of servers.entries()) option.set(addressBytes(parseAddress(server)), 8 + 16 * i);
  const head = Buffer.alloc(16);
  head.set([10, 0]);
  head.writeUInt16LE(option.length, 2);
  head.writeUInt32LE(LINK, 4);
  head.set([134, 0], 8);
  return Buffer.concat([head, option]);
}

t.test('a prefix that the kernel tells of', async (t) => {
  const read = (data: Buffer) => decodeAnnouncedPrefix({ data });
  const { prefix: told, ...rest } = read(prefix('2001:db8:9::'));
  t.equal(formatPrefix(told), '2001:db8:9::/64');
  t.strictSame(rest, { index: LINK, autonomous: true });
  t.equal(read(prefix('2001:db8:9::', 64, 0x80)).autonomous, false);
  t.equal(read(prefix('2001:db8:9::', 64, 0x03)).autonomous, true, 'as older kernels have it');
  t.equal(read(prefix('2001:db8:9::', 64, 0x01)).autonomous, false);
  t.throws(() => read(prefix('2001:db8:9::', 129)), DecodeError);
  t.throws(() => read(Buffer.alloc(11)), DecodeError);
  t.throws(() => read(Buffer.alloc(12)), DecodeError, 'no prefix in it');
});

t.test('what is heard is remembered, and no more than so much', async (t) => {
  const heard = nothingAdvertised();
  hear([message(RTM_NEWPREFIX, prefix('2001:db8:1::', 64, 0xc0, 4))], LINK, heard);
  t.strictSame(heard, nothingAdvertised(), 'another link is none of ours');
  hear([message(RTM_NEWPREFIX, Buffer.alloc(3)), message(RTM_NEWNDUSEROPT, Buffer.alloc(3))], LINK, heard);
  hear([message(RTM_DELADDR, Buffer.alloc(3)), message(16, Buffer.alloc(3))], LINK, heard);
  t.strictSame(heard, nothingAdvertised(), 'what cannot be read is read over');
  for (let i = 0; i < 100; i++) {
    const hex = (i + 1).toString(16);
    hear([message(RTM_NEWPREFIX, prefix(`2001:db8:${hex}::`))], LINK, heard);
    hear([message(RTM_NEWNDUSEROPT, rdnss([`2001:db8::${hex}`, `2001:db8::${hex}`]))], LINK, heard);
  }
  t.equal(heard.told, true);
  t.equal(heard.prefixes.length, MOST_REMEMBERED);
  t.equal(heard.servers.length, MOST_REMEMBERED);
  t.equal(heard.servers.map(formatAddress)[1], '2001:db8::2', 'each once');
  hear([message(RTM_NEWNDUSEROPT, rdnss(['2001:db8::2'], 0))], LINK, heard);
  t.equal(heard.servers.map(formatAddress)[1], '2001:db8::3', 'one is taken back');
});

t.test('who cannot be a name server', async (t) => {
  const heard = nothingAdvertised();
  const nobody = ['::', '::1', 'ff02::1', '::ffff:127.0.0.1'];
  hear([message(RTM_NEWNDUSEROPT, rdnss([...nobody, 'fe80::53', 'fd00::53']))], LINK, heard);
  t.strictSame(heard.servers.map(formatAddress), ['fe80::53', 'fd00::53']);
});
