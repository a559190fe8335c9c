/** The Internet checksum (RFC 1071), of IPv4 headers, UDP and ICMPv6. */

/** The sum in ones' complement of the bytes' 16-bit words, a last odd byte filled up with zero; not yet inverted. */
export function onesSum(bytes: Buffer): number {
  const even = bytes.length & ~1;
  let sum = even < bytes.length ? bytes.readUInt8(even) << 8 : 0;
  for (let at = 0; at < even; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

export function checksum(bytes: Buffer): number {
  return ~onesSum(bytes) & 0xffff;
}
