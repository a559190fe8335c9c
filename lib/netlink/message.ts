/** Netlink messages (linux/netlink.h struct nlmsghdr, struct nlmsgerr), by the codec of the `netlink` package. */
import { DecodeError } from './attributes.ts';
import { struct, text } from './codec.ts';
import { formatMessage, parseMessages } from './structs.ts';
import { NLMSGERR_ATTR_MSG, NLM_F_ACK_TLVS, NLM_F_CAPPED } from './uapi.ts';

const NLMSG_HDRLEN = 16;

/** A message; `data` is what follows the header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly data: Buffer;
}

/** An error or acknowledgement: errno positive, 0 for success. */
export interface NetlinkAnswer {
  readonly seq: number;
  readonly errno: number;
  readonly extack: string | undefined;
}

const errorAttributes = struct({ message: text(NLMSGERR_ATTR_MSG) });

/** The message, filled up to where the next one may begin. */
export function encodeMessage(message: {
  type: number;
  flags: number;
  seq: number;
  data: Uint8Array | Uint8Array[];
}): Uint8Array[] {
  const parts = formatMessage({ ...message, port: 0 });
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return length % 4 === 0 ? parts : [...parts, Buffer.alloc(-length & 3)];
}

/** The messages of one datagram; throws DecodeError. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  try {
    return parseMessages(datagram) as NetlinkMessage[];
  } catch (error) {
    throw new DecodeError(`malformed netlink messages: ${(error as Error).message}`);
  }
}

function extackAt(at: number, { flags, data }: NetlinkMessage): string | undefined {
  if ((flags & NLM_F_ACK_TLVS) === 0) return undefined;
  if (at > data.length) throw new DecodeError(`an answer of ${data.length} bytes, its text at ${at}`);
  return errorAttributes.get(data.subarray(at)).message;
}

/**
 * An NLMSG_ERROR, with the extended-ack attributes behind the echoed message (or behind its header, when that was
 * capped); throws DecodeError.
 */
export function decodeAnswer(message: NetlinkMessage): NetlinkAnswer {
  const { seq, flags, data } = message;
  if (data.length < 4 + NLMSG_HDRLEN) throw new DecodeError(`an answer of ${data.length} bytes`);
  const echoed = flags & NLM_F_CAPPED ? NLMSG_HDRLEN : data.readUInt32LE(4);
  return { seq, errno: -data.readInt32LE(0), extack: extackAt(4 + Math.ceil(echoed / 4) * 4, message) };
}

/** An NLMSG_DONE, the end of a dump, which may be that of one that failed; throws DecodeError. */
export function decodeDone(message: NetlinkMessage): NetlinkAnswer {
  const { seq, data } = message;
  if (data.length === 0) return { seq, errno: 0, extack: undefined };
  if (data.length < 4) throw new DecodeError(`the end of a dump has ${data.length} bytes`);
  return { seq, errno: -data.readInt32LE(0), extack: extackAt(4, message) };
}
