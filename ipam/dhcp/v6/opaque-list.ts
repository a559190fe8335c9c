/** Lists of bytes in hexadecimal, each with its length in two bytes before it. */
import { DecodeError } from '../decode-error.ts';
import { hexBytes, u16 } from './option.ts';

export function unlisted(items: readonly string[]): Buffer {
  const datas = items.map(hexBytes);
  return Buffer.concat(datas.flatMap((data) => [u16(data.length), data]));
}

/** Throws DecodeError. */
export function listed(data: Buffer): string[] {
  const items: string[] = [];
  for (let at = 0; at < data.length; ) {
    const to = at + 2 <= data.length ? at + 2 + data.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (to > data.length) throw new DecodeError('a list that is cut off');
    items.push(data.toString('hex', at + 2, to));
    at = to;
  }
  return items;
}
