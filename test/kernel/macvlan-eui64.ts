/** The modified EUI-64 interface identifier of a MAC address as text (RFC 4291, appendix A). */
export function macToEui64(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => Number.parseInt(part, 16));
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return groups.map((group) => group.toString(16)).join(':');
}
