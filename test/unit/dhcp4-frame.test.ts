/** ipam/dhcp/frame: UDP in IPv4 in Ethernet, as packet sockets send and receive it. */
import t from 'tap';
import type { Test } from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { BROADCAST_MAC } from '../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { checksum, onesSum } from '../../lib/base/checksum.ts';

const [IP, UDP, PAYLOAD] = [14, 34, 42];
const CLIENT = { mac: '02:00:00:00:00:01', address: '0.0.0.0', port: CLIENT_PORT };
const EVERYONE = { mac: BROADCAST_MAC, address: '255.255.255.255', port: SERVER_PORT };
const SERVER = { mac: '02:00:00:00:00:02', address: '192.0.2.1', port: SERVER_PORT };
const payload = Buffer.from('an odd number of bytes!');
const discover = { from: CLIENT, to: EVERYONE, payload };
const ack = { from: SERVER, to: { ...CLIENT, address: '192.0.2.7' }, payload };

/** The frame, with `change` done to its bytes, and the header's checksum right again. */
function changed(change: (frame: Buffer) => void): Buffer {
  const frame = encodeFrame(discover);
  change(frame);
  frame.writeUInt16BE(0, IP + 10);
  frame.writeUInt16BE(checksum(frame.subarray(IP, IP + (frame.readUInt8(IP) & 15) * 4)), IP + 10);
  return frame;
}

const refused = (t: Test, frame: Buffer, what: string): unknown =>
  t.throws(() => decodeFrame(frame), DecodeError, what);

t.test('both ways, from either side', async (t) => {
  for (const frame of [discover, ack]) t.strictSame(decodeFrame(encodeFrame(frame)), frame);
  t.strictSame(decodeFrame(encodeFrame({ ...discover, payload: Buffer.alloc(0) })).payload, Buffer.alloc(0));
});

t.test('padding and trailers of Ethernet do not belong to it', async (t) => {
  t.strictSame(decodeFrame(Buffer.concat([encodeFrame(discover), Buffer.alloc(18, 7)])), discover);
});

t.test('options of IPv4 are gone over', async (t) => {
  const plain = encodeFrame(discover);
  const frame = Buffer.concat([plain.subarray(0, UDP), Buffer.from([1, 1, 1, 0]), plain.subarray(UDP)]);
  frame.writeUInt8(0x46, IP);
  frame.writeUInt16BE(frame.length - IP, IP + 2);
  frame.writeUInt16BE(0, IP + 10);
  frame.writeUInt16BE(checksum(frame.subarray(IP, UDP + 4)), IP + 10);
  t.strictSame(decodeFrame(frame), discover);
});

t.test('checksums of UDP: right, none, or what a veth leaves of it', async (t) => {
  const pseudo = Buffer.concat([
    encodeFrame(discover).subarray(IP + 12, UDP),
    Buffer.from([0, 17, 0, 8 + payload.length]),
  ]);
  for (const sum of [0, onesSum(pseudo)])
    t.strictSame(decodeFrame(changed((frame) => frame.writeUInt16BE(sum, UDP + 6))), discover);
  for (const sum of [1, onesSum(pseudo) ^ 0x100, ~onesSum(pseudo) & 0xffff])
    refused(
      t,
      changed((frame) => frame.writeUInt16BE(sum, UDP + 6)),
      `checksum ${sum}`,
    );
  refused(
    t,
    changed((frame) => frame.writeUInt8(0x41, PAYLOAD)),
    'a changed byte',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt8(9, IP + 12)),
    'another sender',
  );
});

t.test('a checksum that comes out as zero is written as ones', async (t) => {
  const frame = { ...discover, payload: Buffer.alloc(2) };
  const rest = encodeFrame(frame).readUInt16BE(UDP + 6);
  frame.payload.writeUInt16BE(rest);
  const bytes = encodeFrame(frame);
  t.equal(bytes.readUInt16BE(UDP + 6), 0xffff);
  t.strictSame(decodeFrame(bytes), frame);
});

t.test('what is no whole UDP datagram in IPv4', async (t) => {
  const whole = encodeFrame(discover);
  for (let length = 0; length < whole.length; length++)
    refused(t, whole.subarray(0, length), `cut at ${length}`);
  refused(
    t,
    changed((frame) => frame.writeUInt16BE(0x86dd, 12)),
    'IPv6',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt8(0x65, IP)),
    'version 6',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt8(0x44, IP)),
    'a header too short',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt8(0x4f, IP)),
    'a header that is not there',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt16BE(19, IP + 2)),
    'less than its header',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt16BE(0x2000, IP + 6)),
    'a first fragment',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt16BE(0x0001, IP + 6)),
    'a later fragment',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt8(6, IP + 9)),
    'TCP',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt16BE(7, UDP + 4)),
    'a datagram less than its header',
  );
  refused(
    t,
    changed((frame) => frame.writeUInt16BE(100, UDP + 4)),
    'a datagram beyond the packet',
  );
  const damaged = encodeFrame(discover);
  damaged.writeUInt8(63, IP + 8);
  refused(t, damaged, 'a wrong checksum of the header');
});
