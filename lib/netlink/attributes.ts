/**
 * Netlink attributes (linux/netlink.h struct nlattr): going through them within their bounds. What they mean says
 * codec.ts.
 */
import { parseAttributes } from './structs.ts';
import { NLA_F_NESTED, NLA_F_NET_BYTEORDER } from './uapi.ts';

/** The bytes are not what they should be: the one error of decoders. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Calls `fn` for each attribute in `data`; `type` includes the NLA_F_ flags. Throws DecodeError. */
export function eachAttribute(data: Buffer, fn: (type: number, payload: Buffer) => void): void {
  const attributes: { type: number; payload: Buffer }[] = [];
  try {
    parseAttributes(data, ({ type, nested, no, data: payload }) => {
      const flags = (nested ? NLA_F_NESTED : 0) | (no ? NLA_F_NET_BYTEORDER : 0);
      attributes.push({ type: type | flags, payload: payload as Buffer });
    });
  } catch (error) {
    throw new DecodeError(`malformed netlink attributes: ${(error as Error).message}`);
  }
  for (const { type, payload } of attributes) fn(type, payload);
}
