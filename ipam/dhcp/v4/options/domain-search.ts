/** Option 119 (RFC 3397): search domains, compressed; what is no name of a host is left out. */
import { isHostName } from '../../../../lib/base/domain-name.ts';
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';
import { nameBytes, readName } from './name-bytes.ts';

export const domainSearch: OptionCodec<readonly string[]> = {
  decode(bytes) {
    if (bytes.length === 0) throw new DecodeError('no domain');
    const domains: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const { labels, next } = readName(bytes, at);
      if (isHostName(labels)) domains.push(labels.join('.'));
      at = next;
    }
    return domains;
  },
  encode(domains) {
    const known = new Map<string, number>();
    let bytes = Buffer.alloc(0);
    for (const domain of domains)
      bytes = Buffer.concat([bytes, nameBytes(domain.split('.'), bytes.length, known)]);
    return bytes;
  },
};
