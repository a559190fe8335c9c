/** Resolvers, the best first (RFC 3646, section 3). */
import { list6, put6 } from '../addresses.ts';
import type { OptionType } from '../option.ts';

export const dnsServers: OptionType<readonly string[]> = {
  code: 23,
  put: (servers) => Buffer.concat(servers.map(put6)),
  get: (data) => list6(data, 'resolvers'),
};
