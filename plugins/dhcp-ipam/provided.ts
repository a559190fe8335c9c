/** Options that a configuration wants sent, from text to bytes. */
import { AddressError } from '../../lib/base/ip.ts';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { optionKind } from '../../ipam/dhcp/v4/options/table.ts';

const HEXADECIMAL = /^0x((?:[0-9a-f]{2})+)$/i;
const CLIENT_IDENTIFIER = 61;
/** RFC 2132, section 9.14: no hardware address. */
const OPAQUE = Buffer.from([0]);

/** How codecs say that a value is not theirs. */
const REFUSALS = [AddressError, DecodeError, RangeError, TypeError];

/** The readings of a text that an option's codec may accept, likeliest first. */
function readings(text: string): unknown[] {
  const list = text.split(',').map((item) => item.trim());
  return [text, Buffer.from(text), Number(text), list, list.map(Number), text.toLowerCase() === 'true'];
}

/** Codecs may take for a value what is none, such as text for a number: what they make of it is another then. */
function isSame(read: unknown, value: unknown): boolean {
  if (Buffer.isBuffer(read)) return Buffer.isBuffer(value) && read.equals(value);
  if (Array.isArray(read) && Array.isArray(value))
    return read.length === value.length && read.every((item, index) => isSame(item, value[index]));
  // Names may be written in several ways.
  return typeof read === 'string' ? typeof value === 'string' : read === value;
}

/**
 * The bytes of an option's value: of text, of numbers and addresses, of lists with commas in them; "0x…" of any.
 * Undefined when the option cannot be that.
 */
export function providedValue(code: number, text: string): Buffer | undefined {
  const digits = HEXADECIMAL.exec(text)?.[1];
  if (digits !== undefined) return Buffer.from(digits, 'hex');
  // As the reference: the identifier is what the user wrote.
  if (code === CLIENT_IDENTIFIER) return Buffer.concat([OPAQUE, Buffer.from(text)]);
  const { codec } = optionKind(code);
  for (const value of readings(text)) {
    try {
      const bytes = codec.encode(value);
      if (Buffer.isBuffer(bytes) && isSame(codec.decode(bytes), value)) return bytes;
    } catch (error) {
      if (!REFUSALS.some((kind) => error instanceof kind)) throw error;
    }
  }
  return undefined;
}
