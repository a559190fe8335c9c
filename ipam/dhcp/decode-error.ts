/** A packet that cannot be read. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}
