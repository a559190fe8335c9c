/** A prefix in an IA_PD (RFC 9915, section 21.22). */
import { DecodeError } from '../../decode-error.ts';
import { formatPrefix, parsePrefix } from '../../../../lib/base/ip.ts';
import { get6, put6 } from '../addresses.ts';
import { Budget, once, optionSet } from '../option-set.ts';
import type { NestingType, Values } from '../option-set.ts';
import { atLeast, u32, u8 } from '../option.ts';
import { statusCode } from './status-code.ts';

const options = optionSet({ status: once(statusCode) });

export interface IaPrefix {
  /** "2001:db8:1::/56", host bits as they came; "::/56" in a question asks for any of that length. */
  readonly prefix: string;
  /** Seconds; 0xffffffff for ever. */
  readonly preferred: number;
  readonly valid: number;
  readonly options: Values<typeof options>;
}

const HEAD = 25;

export const iaPrefix: NestingType<IaPrefix> = {
  code: 26,
  put({ prefix, preferred, valid, options: inside }) {
    const { length } = parsePrefix(prefix);
    const address = put6(prefix.slice(0, prefix.indexOf('/')));
    return Buffer.concat([u32(preferred, valid), u8(length), address, options.put(inside)]);
  },
  get: (data) => iaPrefix.within(data, new Budget(data.length)),
  within(data, budget) {
    const length = atLeast(data, HEAD, 'a prefix').readUInt8(8);
    if (length > 128) throw new DecodeError(`a prefix of ${length} bits`);
    return {
      prefix: formatPrefix(parsePrefix(`${get6(data, 9)}/${length}`)),
      preferred: data.readUInt32BE(0),
      valid: data.readUInt32BE(4),
      options: options.get(data.subarray(HEAD), budget),
    };
  },
};
