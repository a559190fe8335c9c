/** Options that a configuration wants sent, from text to bytes. */
import { AddressError } from '../../lib/base/ip.ts';
import { optionKind } from '../../ipam/dhcp/v4/options/table.ts';

const HEXADECIMAL = /^0x((?:[0-9a-f]{2})+)$/i;
const CLIENT_IDENTIFIER = 61;
/** RFC 2132, section 9.14: no hardware address. */
const OPAQUE = Buffer.from([0]);

/** The readings of a text that an option's codec may accept, likeliest first. */
function readings(text: string): unknown[] {
  const list = text.split(',').map((item) => item.trim());
  return [text, Buffer.from(text), Number(text), list, list.map(Number), text.toLowerCase() === 'true'];
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
      codec.decode(bytes);
      return bytes;
    } catch (error) {
      if (!(error instanceof AddressError || error instanceof RangeError || error instanceof TypeError))
        continue;
    }
  }
  return undefined;
}
