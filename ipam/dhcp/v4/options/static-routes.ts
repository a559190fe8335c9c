/** Option 33 (RFC 2132, section 5.8): destinations, whose masks are those of their classes, and routers. */
import { DecodeError } from '../../decode-error.ts';
import { ipv4Bytes, ipv4Text } from '../../frame/ipv4.ts';
import type { OptionCodec } from './codec.ts';

const PAIR = 8;

export interface StaticRoute {
  readonly destination: string;
  readonly router: string;
}

export const staticRoutes: OptionCodec<readonly StaticRoute[]> = {
  decode(bytes) {
    if (bytes.length === 0 || bytes.length % PAIR !== 0)
      throw new DecodeError(`routes of ${bytes.length} bytes`);
    return Array.from({ length: bytes.length / PAIR }, (_, index) => ({
      destination: ipv4Text(bytes.subarray(index * PAIR)),
      router: ipv4Text(bytes.subarray(index * PAIR + 4)),
    }));
  },
  encode: (routes) =>
    Buffer.concat(routes.flatMap(({ destination, router }) => [ipv4Bytes(destination), ipv4Bytes(router)])),
};
