/** What is known of an option: how its value is read and written. */

/** An option's value without code and length, of any number of bytes (RFC 3396). */
export interface OptionCodec<Value> {
  /** Throws DecodeError. */
  decode(bytes: Buffer): Value;
  /** Throws AddressError or RangeError for a value that cannot be written. */
  encode(value: Value): Buffer;
}
