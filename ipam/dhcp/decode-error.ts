/** The bytes from the network are not what they should be: the one error of DHCP's decoders. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}
