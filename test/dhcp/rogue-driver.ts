/**
 * The neighbour as a process, in its namespace:   node rogue-driver.ts lie|flood IFINDEX
 *
 * `lie`: every message of a client is answered with all LIES. `flood`: junk, ten thousand frames a second. Prints how
 * many frames it has sent, a line each time.
 */
import { BROADCAST_MAC } from '../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { decodeMessage } from '../../ipam/dhcp/v4/message.ts';
import { isErrno } from '../../lib/base/errors.ts';
import { ETH_P_IP, openPacketSocket, udp4To } from '../../lib/system/packet-socket.ts';
import { receive, send, waitReadable } from '../../lib/system/syscall.ts';
import { LIES } from './rogue-lies.ts';

const [, , mode, index] = process.argv;
const socket = openPacketSocket({ index: Number(index), protocol: ETH_P_IP, filter: udp4To(SERVER_PORT) });
let sent = 0;

function emit(frame: Buffer): void {
  try {
    send(socket, frame, 'send');
    sent += 1;
  } catch (error) {
    if (!isErrno(error, 'EAGAIN', 'ENOBUFS')) throw error;
  }
}

function lie(): void {
  const buffer = Buffer.alloc(4096);
  for (;;) {
    const length = receive(socket, buffer, 'receive');
    if (length === undefined) {
      waitReadable(socket, 1000, 'wait');
      continue;
    }
    const asked = decodeMessage(decodeFrame(Buffer.from(buffer.subarray(0, length))).payload);
    for (const make of Object.values(LIES)) emit(make(asked));
    console.log(sent);
  }
}

/** A linear congruential generator: the same junk each time. */
function junk(seed: number): Buffer {
  const payload = Buffer.alloc(240 + (seed % 300));
  let state = seed + 1;
  for (let at = 0; at < payload.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    payload[at] = state >>> 24;
  }
  // Half of it begins like an answer.
  if (seed % 2 === 0) {
    payload[0] = 2;
    payload.writeUInt32BE(0x63825363, 236);
  }
  return encodeFrame({
    from: { mac: '02:00:5e:00:66:66', address: '192.0.2.66', port: SERVER_PORT },
    to: { mac: BROADCAST_MAC, address: '255.255.255.255', port: CLIENT_PORT },
    payload,
  });
}

function flood(): void {
  const frames = Array.from({ length: 1000 }, (_, seed) => junk(seed));
  setInterval(() => {
    for (let count = 0; count < 100; count++) emit(frames[(sent + count) % frames.length] ?? Buffer.alloc(0));
    console.log(sent);
  }, 10);
}

console.log(sent);
if (mode === 'lie') lie();
else flood();
