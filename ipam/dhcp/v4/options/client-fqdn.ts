/**
 * Option 81 (RFC 4702): the name of the client in the DNS, and who is to put it there. Written with the E flag, as the
 * RFC wants it; read in the older form too, plain text.
 */
import { isHostName } from '../../../../lib/base/domain-name.ts';
import { DecodeError } from '../../decode-error.ts';
import type { OptionCodec } from './codec.ts';
import { nameBytes, readName } from './name-bytes.ts';

/** Flags, and two result codes that mean nothing any more. */
const HEAD = 3;
const [SERVER_UPDATES, OVERRIDDEN, ENCODED, NO_UPDATE] = [1, 2, 4, 8];

export interface ClientFqdn {
  /** Without a dot at the end; not always a whole one. Empty: the server is to choose. */
  readonly name: string;
  /** Whether there is more of it than this (in the encoded form without its end). */
  readonly partial: boolean;
  /** S: the server is to put the name into the DNS, or does so. */
  readonly serverUpdates: boolean;
  /** O: the server did not do as the client wished. */
  readonly overridden: boolean;
  /** N: the server is to leave the DNS alone. */
  readonly noUpdate: boolean;
}

/** A partial name lacks the zero at its end (RFC 4702, section 2.3.1). */
function encodedName(bytes: Buffer): { labels: readonly string[]; partial: boolean } {
  if (bytes.length === 0) return { labels: [], partial: true };
  const partial = bytes.at(-1) !== 0;
  const { labels, next } = readName(partial ? Buffer.concat([bytes, Buffer.alloc(1)]) : bytes, 0);
  if (next < bytes.length) throw new DecodeError('more than a name');
  return { labels, partial };
}

function plainName(bytes: Buffer): { labels: readonly string[]; partial: boolean } {
  const name = bytes.toString('latin1').replace(/\0+$/, '');
  if (name === '') return { labels: [], partial: true };
  const whole = name.endsWith('.');
  return { labels: (whole ? name.slice(0, -1) : name).split('.'), partial: !whole };
}

export const clientFqdn: OptionCodec<ClientFqdn> = {
  decode(bytes) {
    if (bytes.length < HEAD) throw new DecodeError(`a name of ${bytes.length} bytes`);
    const flags = bytes.readUInt8(0);
    const read = (flags & ENCODED) === 0 ? plainName : encodedName;
    const { labels, partial } = read(bytes.subarray(HEAD));
    if (labels.length > 0 && !isHostName(labels)) throw new DecodeError('a name that is none');
    return {
      name: labels.join('.'),
      partial,
      serverUpdates: (flags & SERVER_UPDATES) !== 0,
      overridden: (flags & OVERRIDDEN) !== 0,
      noUpdate: (flags & NO_UPDATE) !== 0,
    };
  },
  encode({ name, partial, serverUpdates, overridden, noUpdate }) {
    const flags =
      ENCODED |
      (serverUpdates ? SERVER_UPDATES : 0) |
      (overridden ? OVERRIDDEN : 0) |
      (noUpdate ? NO_UPDATE : 0);
    const whole = nameBytes(name === '' ? [] : name.split('.'), 0);
    return Buffer.concat([Buffer.from([flags, 0, 0]), partial ? whole.subarray(0, -1) : whole]);
  },
};
