/** Search domains without a dot at their end (RFC 3646, section 4); those that are no names of hosts are left out. */
import { DecodeError } from '../../decode-error.ts';
import { isHostName, labelsAt, nameBytes } from '../names.ts';
import type { OptionType } from '../option.ts';

export const domainList: OptionType<readonly string[]> = {
  code: 24,
  put: (domains) => Buffer.concat(domains.flatMap((domain) => [nameBytes(domain), Buffer.alloc(1)])),
  get(data) {
    const domains: string[] = [];
    for (let at = 0; at < data.length; ) {
      const { labels, whole, next } = labelsAt(data, at);
      if (!whole) throw new DecodeError('a domain without end');
      if (isHostName(labels)) domains.push(labels.join('.'));
      at = next;
    }
    return domains;
  },
};
