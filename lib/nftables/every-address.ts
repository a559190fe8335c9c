/** The interval that stands for all addresses of a family, in sets where one of some alone could stand. */

/** First and last, of that many bytes: all but all ones, which the anchors have, and no packet. */
export function everyAddress(length: number): [Buffer, Buffer] {
  const last = Buffer.alloc(length, 0xff);
  last[length - 1] = 0xfe;
  return [Buffer.alloc(length), last];
}

export function isEveryAddress(first: Uint8Array, last: Uint8Array): boolean {
  const [from, to] = everyAddress(first.length);
  return from.equals(first) && to.equals(last);
}
