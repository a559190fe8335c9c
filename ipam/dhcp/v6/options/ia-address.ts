/** An address in an IA_NA (RFC 9915, section 21.6). */
import { put6, get6 } from '../addresses.ts';
import { Budget, once, optionSet } from '../option-set.ts';
import type { NestingType, Values } from '../option-set.ts';
import { atLeast, u32 } from '../option.ts';
import { statusCode } from './status-code.ts';

const options = optionSet({ status: once(statusCode) });

export interface IaAddress {
  readonly address: string;
  /** Seconds; 0xffffffff for ever. */
  readonly preferred: number;
  readonly valid: number;
  readonly options: Values<typeof options>;
}

const HEAD = 24;

export const iaAddress: NestingType<IaAddress> = {
  code: 5,
  put: ({ address, preferred, valid, options: inside }) =>
    Buffer.concat([put6(address), u32(preferred, valid), options.put(inside)]),
  get: (data) => iaAddress.within(data, new Budget(data.length)),
  within(data, budget) {
    atLeast(data, HEAD, 'an address');
    return {
      address: get6(data),
      preferred: data.readUInt32BE(16),
      valid: data.readUInt32BE(20),
      options: options.get(data.subarray(HEAD), budget),
    };
  },
};
