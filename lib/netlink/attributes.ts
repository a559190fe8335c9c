/**
 * Netlink attributes (linux/netlink.h struct nlattr): going through them within their bounds. What they mean says
 * codec.ts.
 */

const NLA_HDRLEN = 4;

/** The bytes are not what they should be: the one error of decoders. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

function lengthAt(data: Buffer, at: number): number {
  const left = data.length - at;
  if (left < NLA_HDRLEN) throw new DecodeError(`malformed netlink attributes: ${left} bytes are left over`);
  const length = data.readUInt16LE(at);
  if (length < NLA_HDRLEN || length > left)
    throw new DecodeError(`malformed netlink attributes: one of ${length} bytes where ${left} are left`);
  return length;
}

/** Where the one at `at` ends, with the zeros behind it, which the last one need not have. */
function next(at: number, length: number): number {
  return at + ((length + 3) & ~3);
}

/**
 * Calls `fn` for each attribute in `data`, when all have been found sound; `type` includes the NLA_F_ flags, and the
 * payload is from `start` to before `end`. An ADD reads thousands, most of them nobody's: nothing is made of those.
 * Throws DecodeError.
 */
export function eachSpan(data: Buffer, fn: (type: number, start: number, end: number) => void): void {
  for (let at = 0; at < data.length; ) at = next(at, lengthAt(data, at));
  for (let at = 0; at < data.length; ) {
    const length = data.readUInt16LE(at);
    fn(data.readUInt16LE(at + 2), at + NLA_HDRLEN, at + length);
    at = next(at, length);
  }
}

/** The same with the payload. */
export function eachAttribute(data: Buffer, fn: (type: number, payload: Buffer) => void): void {
  eachSpan(data, (type, start, end) => fn(type, data.subarray(start, end)));
}
