/** The name of the client for the DNS (RFC 4704, section 4). */
import { DecodeError } from '../../decode-error.ts';
import { isHostName, labelsAt, nameBytes } from '../names.ts';
import { atLeast, u8 } from '../option.ts';
import type { OptionType } from '../option.ts';

/** The server should update (in an answer: does update) the AAAA record. */
export const FQDN_S = 1;
/** The server overrode the client's S. */
export const FQDN_O = 2;
/** The server should do (does) no update at all. */
export const FQDN_N = 4;

export interface ClientFqdn {
  /** FQDN_ bits. */
  readonly flags: number;
  /** With a dot at its end where it is whole, "host.example."; without one the server completes it; "" for none. */
  readonly name: string;
}

export const clientFqdn: OptionType<ClientFqdn> = {
  code: 39,
  put({ flags, name }) {
    if (name === '') return u8(flags);
    const whole = name.endsWith('.');
    return Buffer.concat([
      u8(flags),
      nameBytes(whole ? name.slice(0, -1) : name),
      Buffer.alloc(whole ? 1 : 0),
    ]);
  },
  get(data) {
    const flags = atLeast(data, 1, 'a client name').readUInt8(0);
    const { labels, whole, next } = labelsAt(data, 1);
    if (labels.length === 0 && next === data.length && !whole) return { flags, name: '' };
    if (next !== data.length || !isHostName(labels)) throw new DecodeError('not a name of a client');
    return { flags, name: `${labels.join('.')}${whole ? '.' : ''}` };
  },
};
