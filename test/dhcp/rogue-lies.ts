/** What a neighbour answers who means ill, to a message of a client that it has overheard: frames, by what is wrong. */
import { BROADCAST_MAC } from '../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, encodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { EMPTY_MESSAGE, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';

const ROGUE = { mac: '02:00:5e:00:66:66', address: '192.0.2.66' };
const HONEST = '192.0.2.1';
const STOLEN = '192.0.2.99';
const EVERYBODY = { mac: BROADCAST_MAC, address: '255.255.255.255', port: CLIENT_PORT };
const [ETHERNET, IP, UDP, FIXED] = [14, 20, 8, 240];

const bytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

function options(server: string, others: readonly (readonly [number, Buffer])[] = []): Map<number, Buffer> {
  return new Map([
    [1, bytes('255.255.255.0')],
    [3, bytes(ROGUE.address)],
    [51, Buffer.from([0, 0, 0xff, 0])],
    [54, bytes(server)],
    [6, bytes(ROGUE.address)],
    ...others,
  ]);
}

/** An answer that would do, if it came from the right server: with one thing wrong in it. */
function reply(asked: Message4, type: Message4['type'], wrong: Partial<Message4> = {}): Message4 {
  const own = asked.options.get(61);
  return {
    ...EMPTY_MESSAGE,
    ...{ op: 'reply', type, xid: asked.xid, chaddr: asked.chaddr, yiaddr: STOLEN },
    options: options(ROGUE.address, own ? [[61, own]] : []),
    ...wrong,
  };
}

function framed(payload: Buffer): Buffer {
  return encodeFrame({ from: { ...ROGUE, port: SERVER_PORT }, to: EVERYBODY, payload });
}

/** The same frame with other bytes in it. */
function bent(frame: Buffer, bend: (copy: Buffer) => Buffer): Buffer {
  return bend(Buffer.from(frame));
}

function set16(at: number, value: number): (copy: Buffer) => Buffer {
  return (copy) => {
    copy.writeUInt16BE(value, at);
    return copy;
  };
}

/** Bytes behind the magic cookie instead of options. */
function withOptions(asked: Message4, ...area: number[]): Buffer {
  const payload = encodeMessage(reply(asked, 'ack', { options: options(HONEST) }));
  return framed(Buffer.concat([payload.subarray(0, FIXED), Buffer.from([53, 1, 5, ...area])]));
}

export type Lie = (asked: Message4) => Buffer;

/** None of them must count, in whatever state the client is. */
export const LIES: Readonly<Record<string, Lie>> = {
  ...Object.fromEntries(
    (['offer', 'ack', 'nak'] as const).flatMap((type): [string, Lie][] => [
      [`${type}, xid`, (asked) => framed(encodeMessage(reply(asked, type, { xid: (asked.xid ^ 1) >>> 0 })))],
      [
        `${type}, chaddr`,
        (asked) => framed(encodeMessage(reply(asked, type, { chaddr: '02:00:00:00:00:99' }))),
      ],
      [
        `${type}, client identifier`,
        (asked) => {
          const lying = options(HONEST, [[61, Buffer.from([255, 1, 2, 3, 4])]]);
          return framed(encodeMessage(reply(asked, type, { options: lying })));
        },
      ],
      [
        `${type}, a request`,
        (asked) => framed(encodeMessage(reply(asked, type, { op: 'request', options: options(HONEST) }))),
      ],
      [
        `${type}, no server`,
        (asked) => {
          const nobody = options(HONEST);
          nobody.delete(54);
          return framed(encodeMessage(reply(asked, type, { options: nobody })));
        },
      ],
    ]),
  ),
  'ack, server': (asked) => framed(encodeMessage(reply(asked, 'ack'))),
  'nak, server': (asked) => framed(encodeMessage(reply(asked, 'nak'))),
  ...Object.fromEntries(
    ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '192.0.2.255'].map((yiaddr): [string, Lie] => [
      `ack, ${yiaddr}`,
      (asked) => framed(encodeMessage(reply(asked, 'ack', { yiaddr, options: options(HONEST) }))),
    ]),
  ),
  'cut off in the header': (asked) => framed(encodeMessage(reply(asked, 'ack')).subarray(0, 200)),
  'cut off in the frame': (asked) => framed(encodeMessage(reply(asked, 'ack'))).subarray(0, 60),
  'nothing but headers': () => framed(Buffer.alloc(0)),
  'an option longer than the message': (asked) => withOptions(asked, 54, 200, 192, 0, 2, 1),
  'an option of no length': (asked) => withOptions(asked, 54, 0, 51, 0, 1, 0, 255),
  'options that all say 255': (asked) => withOptions(asked, ...new Array<number>(200).fill(254)),
  'IP longer than the frame': (asked) =>
    bent(framed(encodeMessage(reply(asked, 'ack'))), set16(ETHERNET + 2, 9000)),
  'UDP longer than IP': (asked) =>
    bent(framed(encodeMessage(reply(asked, 'ack'))), set16(ETHERNET + IP + 4, 9000)),
  'UDP shorter than its header': (asked) =>
    bent(framed(encodeMessage(reply(asked, 'ack'))), set16(ETHERNET + IP + 4, UDP - 1)),
  'a fragment': (asked) => bent(framed(encodeMessage(reply(asked, 'ack'))), set16(ETHERNET + 6, 0x2000)),
  'the largest there is': (asked) =>
    framed(
      encodeMessage(
        reply(asked, 'ack', {
          xid: (asked.xid ^ 2) >>> 0,
          options: options(HONEST, [[43, Buffer.alloc(1100, 7)]]),
        }),
      ),
    ),
};
