/**
 * Options 121 (RFC 3442) and 249 (Microsoft's, the same): a prefix in as few bytes as it has, and a router, 0.0.0.0 for
 * what is on the link. Bits of a destination beyond its prefix do not count.
 */
import { addressBytes, formatPrefix, networkOf, parsePrefix } from '../../../../lib/base/ip.ts';
import { DecodeError } from '../../decode-error.ts';
import { ipv4Bytes, ipv4Text } from '../../frame/ipv4.ts';
import type { LeasedRoute } from '../../lease.ts';
import type { OptionCodec } from './codec.ts';

const ON_LINK = '0.0.0.0';

function routeAt(bytes: Buffer, at: number): { route: LeasedRoute; next: number } {
  const width = bytes.readUInt8(at);
  const router = at + 1 + Math.ceil(width / 8);
  const next = router + 4;
  if (width > 32 || next > bytes.length)
    throw new DecodeError(`a route of ${width} bits in ${bytes.length - at} bytes`);
  const significant = Buffer.concat([bytes.subarray(at + 1, router), Buffer.alloc(4)]);
  const dst = formatPrefix(networkOf(parsePrefix(`${ipv4Text(significant)}/${width}`)));
  const gw = ipv4Text(bytes.subarray(router));
  return { route: gw === ON_LINK ? { dst } : { dst, gw }, next };
}

function routeBytes({ dst, gw }: LeasedRoute): Buffer {
  const { address, length } = networkOf(parsePrefix(dst));
  return Buffer.concat([
    Buffer.from([length]),
    addressBytes(address).subarray(0, Math.ceil(length / 8)),
    ipv4Bytes(gw ?? ON_LINK),
  ]);
}

export const classlessRoutes: OptionCodec<readonly LeasedRoute[]> = {
  decode(bytes) {
    if (bytes.length === 0) throw new DecodeError('no route');
    const routes: LeasedRoute[] = [];
    for (let at = 0; at < bytes.length; ) {
      const { route, next } = routeAt(bytes, at);
      routes.push(route);
      at = next;
    }
    return routes;
  },
  encode: (routes) => Buffer.concat(routes.map(routeBytes)),
};
