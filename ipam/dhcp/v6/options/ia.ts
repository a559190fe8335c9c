/** What the two kinds of associations have in common: IAID, T1 and T2 in seconds, then options. */
import { Budget } from '../option-set.ts';
import type { NestingType, OptionSet } from '../option-set.ts';
import { atLeast, u32 } from '../option.ts';

export interface Ia<V> {
  /** Unsigned, 32 bits; each kind has its own. */
  readonly iaid: number;
  /** Seconds; 0: the client may choose, 0xffffffff: never. */
  readonly t1: number;
  readonly t2: number;
  readonly options: V;
}

const HEAD = 12;

export function association<V>(code: number, options: OptionSet<V>): NestingType<Ia<V>> {
  const type: NestingType<Ia<V>> = {
    code,
    put: (ia) => Buffer.concat([u32(ia.iaid, ia.t1, ia.t2), options.put(ia.options)]),
    get: (data) => type.within(data, new Budget(data.length)),
    within(data, budget) {
      atLeast(data, HEAD, 'an association');
      return {
        iaid: data.readUInt32BE(0),
        t1: data.readUInt32BE(4),
        t2: data.readUInt32BE(8),
        options: options.get(data.subarray(HEAD), budget),
      };
    },
  };
  return type;
}
