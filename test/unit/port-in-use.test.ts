/** Sockets as the kernel tells of them, and which published ports they stand in the way of; ports that are free. */
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { decodeSocket } from '../../lib/netlink/inet-diag.ts';
import type { BoundSocket } from '../../lib/netlink/inet-diag.ts';
import { fillIn, readPortRange } from '../../lib/mooring/free-ports.ts';
import { isTakenFrom } from '../../lib/mooring/port-in-use.ts';
import { publishesPorts } from '../../lib/cni/lists/publishing.ts';
import { naming } from '../naming.ts';

/** What the kernel told of a TCP socket on [::]:2225, IPv6 only, and of a UDP one on 127.0.0.1:53. */
const SOCKETS = [
  '0a0a000008b1' +
    '00'.repeat(38) +
    'b1280000000000000000000000000000050000000000000074bd0802050008000000000005000b000100000008000f0000000000' +
    '0c00150001000000000000000600160012000000',
  '02070000003500007f0000010000000000000000000000000000000000000000000000000000000000000000' +
    'b2280000000000000000000000000000000000000000000071bd0802050008000000000008000f00000000000c00150001000000' +
    '000000000600160050000000',
].map((digits) => Buffer.from(digits, 'hex'));

t.test('sockets', async (t) => {
  const [six = Buffer.alloc(0), four = Buffer.alloc(0)] = SOCKETS;
  const v6 = { protocol: 'tcp', address: parseAddress('::'), port: 2225, only6: true, uid: 0 };
  t.match(decodeSocket('tcp', { data: six }), { ...v6, inode: 0x0208bd74 });
  const v4 = { protocol: 'udp', address: parseAddress('127.0.0.1'), port: 53, only6: false };
  t.match(decodeSocket('udp', { data: four }), { ...v4, inode: 0x0208bd71 });
  const mapped = Buffer.from(six);
  Buffer.from('00000000000000000000ffff7f000001', 'hex').copy(mapped, 8);
  t.same(decodeSocket('tcp', { data: mapped }).address, parseAddress('127.0.0.1'), 'IPv4 in IPv6');
  t.throws(() => decodeSocket('tcp', { data: six.subarray(0, 71) }), DecodeError);
});

function socketOn(address: string, more: Partial<BoundSocket> = {}): BoundSocket {
  const base = { protocol: 'tcp', port: 80, only6: false, inode: 1, uid: 0 } as const;
  return { ...base, address: parseAddress(address), ...more };
}

t.test('who would lose packets', async (t) => {
  const both: readonly Family[] = [4, 6];
  const any = { protocol: 'tcp', hostPort: 79, count: 2 } as const;
  const at = (hostIp: string) => ({ ...any, hostIp });
  for (const [claim, socket, families, taken] of [
    [any, socketOn('0.0.0.0'), both, true],
    [any, socketOn('0.0.0.0'), [6], false],
    [any, socketOn('127.0.0.1'), [4], true],
    [any, socketOn('::'), [4], true],
    [any, socketOn('::', { only6: true }), [4], false],
    [any, socketOn('::', { only6: true }), both, true],
    [any, socketOn('::1'), both, false],
    [any, socketOn('224.0.0.251'), both, false],
    [any, socketOn('ff02::fb'), both, false],
    [any, socketOn('0.0.0.0', { port: 81 }), both, false],
    [any, socketOn('0.0.0.0', { protocol: 'udp' }), both, false],
    [at('127.0.0.1'), socketOn('127.0.0.1'), both, true],
    [at('127.0.0.1'), socketOn('127.0.0.2'), both, false],
    [at('127.0.0.1'), socketOn('::'), both, true],
    [at('127.0.0.1'), socketOn('2001:db8::1'), both, false],
    [at('0.0.0.0'), socketOn('192.0.2.1'), both, true],
    [at('::'), socketOn('192.0.2.1'), both, false],
    [at('2001:db8::1'), socketOn('0.0.0.0'), both, false],
    [at('2001:db8::1'), socketOn('::', { only6: true }), both, true],
  ] as const)
    t.equal(
      isTakenFrom(claim, socket, families),
      taken,
      JSON.stringify([claim, socket.port, families, taken]),
    );
});

t.test('free ports', async (t) => {
  const range = readPortRange('40000\t40004', '40001,40003-40009');
  t.same(range.reserved, [
    { first: 40_001, last: 40_001 },
    { first: 40_003, last: 40_009 },
  ]);
  t.same(readPortRange('40000 40004', '').reserved, []);
  const web = { hostPort: 0, containerPort: 80, protocol: 'tcp' };
  const taken = [{ protocol: 'tcp', hostPort: 40_002, containerPort: 1, count: 1 }] as const;
  const chosen = (start: number, ...wanted: (typeof web)[]) =>
    fillIn(wanted, taken, range, start).map(({ hostPort }) => hostPort);
  for (const start of [0, 1, 4, 0xffff_ffff]) {
    t.same(chosen(start, web), [40_000], 'the only one that is free');
    t.same(chosen(start, { ...web, hostPort: 8080 }, web), [8080, 40_000]);
  }
  t.throws(() => chosen(0, web, web), { kind: 'pool-exhausted', message: naming('40000', '40004', '80') });
  const wide = readPortRange('1000 1010', '');
  const many = fillIn([web, web, { ...web, protocol: 'udp' }], [], wide, 9).map(({ hostPort }) => hostPort);
  t.equal(new Set(many).size, 3, 'each its own');
});

t.test('networks that publish', async (t) => {
  const capabilities = { portMappings: true };
  for (const [plugins, publishes] of [
    [[{ type: 'bridge-nat', capabilities }], true],
    [[{ type: 'bridge-nat' }], false],
    [[{ type: 'bridge-nat', capabilities: { portMappings: false } }], false],
    [[{ type: 'bridge-nat' }, { type: 'portmap', capabilities }], true],
    [[{ type: 'bridge', capabilities }], false],
    [[{ type: 'their-own', capabilities }], true],
  ] as const)
    t.equal(publishesPorts({ plugins }), publishes, JSON.stringify(plugins));
});
