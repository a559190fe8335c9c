/**
 * nf_tables messages (linux/netfilter/nfnetlink.h struct nfgenmsg, linux/netfilter/nf_tables.h nf_tables_msg_types):
 * the type says what is done to which kind of object, the header in which family of tables, the attributes which
 * object.
 */
import { DecodeError } from '../netlink/attributes.ts';
import { Writer } from '../netlink/writer.ts';
import type { Codec, Decoded } from '../netlink/codec.ts';
import { chain } from './messages/chain.ts';
import { elements } from './messages/elements.ts';
import { generation } from './messages/generation.ts';
import { rule } from './messages/rule.ts';
import { set } from './messages/set.ts';
import { table } from './messages/table.ts';

export const NFNL_SUBSYS_NFTABLES = 10;
const NFGENMSG_LENGTH = 4;

/** linux/netfilter.h: families of tables. */
export const NFPROTO_UNSPEC = 0;
export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_NETDEV = 5;
export const NFPROTO_BRIDGE = 7;
export const NFPROTO_IPV6 = 10;

/** Each message by its name in the kernel: its number, and what its attributes are. */
const MESSAGES = {
  NEWTABLE: { type: 0, body: table },
  GETTABLE: { type: 1, body: table },
  DELTABLE: { type: 2, body: table },
  NEWCHAIN: { type: 3, body: chain },
  GETCHAIN: { type: 4, body: chain },
  DELCHAIN: { type: 5, body: chain },
  NEWRULE: { type: 6, body: rule },
  GETRULE: { type: 7, body: rule },
  DELRULE: { type: 8, body: rule },
  NEWSET: { type: 9, body: set },
  GETSET: { type: 10, body: set },
  DELSET: { type: 11, body: set },
  NEWSETELEM: { type: 12, body: elements },
  GETSETELEM: { type: 13, body: elements },
  DELSETELEM: { type: 14, body: elements },
  NEWGEN: { type: 15, body: generation },
  GETGEN: { type: 16, body: generation },
} as const;

type Messages = typeof MESSAGES;
export type MessageName = keyof Messages;
export type Body<N extends MessageName> = Decoded<Messages[N]['body']>;

/** One message; which attributes `body` has follows from `name`. */
export type NftMessage<N extends MessageName = MessageName> = {
  readonly [K in N]: {
    readonly name: K;
    readonly family: number;
    readonly flags?: number;
    readonly body: Body<K>;
  };
}[N];

/** A message whose bytes behind the netlink header are known already. */
export interface EncodedMessage {
  readonly name: MessageName;
  readonly flags: number;
  readonly encoded: Uint8Array;
}

/** What a transaction is made of. */
export type BatchMessage = NftMessage | EncodedMessage;

/** The netlink message type. */
export function messageType(name: MessageName): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | MESSAGES[name].type;
}

/** Writes what follows the netlink header. */
export function putMessage(out: Writer, message: BatchMessage): void {
  if ('encoded' in message) {
    out.bytes(message.encoded);
    return;
  }
  const { name, family, body } = message;
  out.u8(family);
  out.u8(0);
  out.u16be(0);
  const codec: Codec<unknown> = MESSAGES[name].body;
  codec.put(out, body);
}

export function encodeMessage(message: NftMessage): Buffer {
  const out = new Writer();
  putMessage(out, message);
  return out.written;
}

/** Reads what follows the netlink header of a message of this name; throws DecodeError. */
export function decodeMessage<N extends MessageName>(
  name: N,
  data: Buffer,
): { family: number; body: Body<N> } {
  if (data.length < NFGENMSG_LENGTH) throw new DecodeError('an nfnetlink message without its header');
  const codec = MESSAGES[name].body as Codec<Body<N>>;
  return { family: data.readUInt8(0), body: codec.get(data.subarray(NFGENMSG_LENGTH)) };
}

/** The name of a netlink message type, if this codec knows it. */
export function messageName(type: number): MessageName | undefined {
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
  for (const [name, known] of Object.entries(MESSAGES)) {
    if (known.type === (type & 0xff)) return name as MessageName;
  }
  return undefined;
}
