/** Bytes of which nothing is known. */
import type { OptionCodec } from './codec.ts';

export const raw: OptionCodec<Buffer> = { decode: (bytes) => bytes, encode: (bytes) => bytes };
