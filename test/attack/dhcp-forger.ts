/**
 * A client that says whatever it is told to say, as a process in its namespace:
 *
 *     node dhcp-forger.ts IFINDEX '[{ "type": "discover", … }, …]'
 *
 * Prints a JSON line for each word: what it was answered, or null after a while without an answer.
 */
import { fileURLToPath } from 'node:url';
import { BROADCAST_MAC } from '../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { EMPTY_MESSAGE, decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import {
  CLIENT_IDENTIFIER,
  RAPID_COMMIT,
  REQUESTED_ADDRESS,
  SERVER_IDENTIFIER,
  written,
} from '../../ipam/dhcp/v4/options/known.ts';
import { ETH_P_IP, openPacketSocket, udp4To } from '../../lib/system/packet-socket.ts';
import { receive, send, waitReadable } from '../../lib/system/syscall.ts';
import type { Place } from '../kernel/harness.ts';

/** What is absent is as an honest client without an address would have it. */
export interface Word {
  readonly type: Message4['type'];
  readonly chaddr: string;
  /** Of the frame; `chaddr` if absent. */
  readonly from?: string;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  /** Option 61 in hexadecimal. */
  readonly clientId?: string;
  readonly requested?: string;
  readonly server?: string;
  readonly rapid?: boolean;
  /** Nobody waits for an answer. */
  readonly unanswered?: boolean;
}

export interface Heard {
  readonly type: Message4['type'];
  readonly yiaddr: string;
}

const ANSWER_MS = 3000;

function encoded(word: Word, xid: number): Buffer {
  const { type, chaddr, from = chaddr, ciaddr = '0.0.0.0', giaddr = '0.0.0.0' } = word;
  const { clientId, requested, server, rapid } = word;
  const message: Message4 = {
    ...EMPTY_MESSAGE,
    ...{ op: 'request', type, xid, chaddr, ciaddr, giaddr, broadcast: true },
    options: new Map([
      ...(clientId === undefined ? [] : [written(CLIENT_IDENTIFIER, clientId)]),
      ...(requested === undefined ? [] : [written(REQUESTED_ADDRESS, requested)]),
      ...(server === undefined ? [] : [written(SERVER_IDENTIFIER, server)]),
      ...(rapid ? [written(RAPID_COMMIT, true as const)] : []),
    ]),
  };
  return encodeFrame({
    from: { mac: from, address: ciaddr, port: CLIENT_PORT },
    to: { mac: BROADCAST_MAC, address: '255.255.255.255', port: SERVER_PORT },
    payload: encodeMessage(message),
  });
}

function answered(socket: number, xid: number): Heard | null {
  const buffer = Buffer.alloc(4096);
  const deadline = performance.now() + ANSWER_MS;
  while (performance.now() < deadline) {
    const length = receive(socket, buffer, 'receive');
    if (length === undefined) {
      waitReadable(socket, Math.max(deadline - performance.now(), 0), 'wait');
      continue;
    }
    const {
      type,
      yiaddr,
      xid: theirs,
    } = decodeMessage(decodeFrame(Buffer.from(buffer.subarray(0, length))).payload);
    if (theirs === xid) return { type, yiaddr };
  }
  return null;
}

function main(index: number, words: readonly Word[]): void {
  const socket = openPacketSocket({ index, protocol: ETH_P_IP, filter: udp4To(CLIENT_PORT) });
  for (const word of words) {
    const xid = Math.floor(Math.random() * 2 ** 32);
    send(socket, encoded(word, xid), 'send');
    console.log(JSON.stringify(word.unanswered ? null : answered(socket, xid)));
  }
}

const FILE = fileURLToPath(import.meta.url);

/** Says all of it through `eth0` of a place, one after the other. */
export async function say(place: Place, ...words: readonly Word[]): Promise<(Heard | null)[]> {
  const [eth0] = await place.ip('link', 'show', 'dev', 'eth0');
  const out = await place.must([process.execPath, FILE, String(eth0?.['ifindex']), JSON.stringify(words)]);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Heard | null);
}

if (process.argv[1] === FILE) main(Number(process.argv[2]), JSON.parse(process.argv[3] ?? '[]') as Word[]);
