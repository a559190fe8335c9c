/**
 * The expressions a rule consists of (linux/netfilter/nf_tables.h, nft_expr_attributes): a name, and attributes by that
 * name.
 */
import { bitwise } from './expressions/bitwise.ts';
import { byteorder } from './expressions/byteorder.ts';
import { cmp } from './expressions/cmp.ts';
import { compat } from './expressions/compat.ts';
import { counter } from './expressions/counter.ts';
import { ct } from './expressions/ct.ts';
import { dynset } from './expressions/dynset.ts';
import { exthdr } from './expressions/exthdr.ts';
import { fib } from './expressions/fib.ts';
import { immediate } from './expressions/immediate.ts';
import { lookup } from './expressions/lookup.ts';
import { masq } from './expressions/masq.ts';
import { meta } from './expressions/meta.ts';
import { nat } from './expressions/nat.ts';
import { payload } from './expressions/payload.ts';
import { range } from './expressions/range.ts';
import { reject } from './expressions/reject.ts';
import { bytes, struct, text } from '../netlink/codec.ts';
import type { Codec, Decoded } from '../netlink/codec.ts';
import { NLA_F_NESTED } from '../netlink/uapi.ts';

const KNOWN = {
  bitwise,
  byteorder,
  cmp,
  counter,
  ct,
  dynset,
  exthdr,
  fib,
  immediate,
  lookup,
  masq,
  match: compat,
  meta,
  nat,
  payload,
  range,
  reject,
  target: compat,
} as const;

type Known = typeof KNOWN;

/** `{ kind: 'meta', key: …, dreg: … }`, or for a kind this codec does not know its payload as bytes. */
export type Expression =
  | { readonly [K in keyof Known]: { readonly kind: K } & Decoded<Known[K]> }[keyof Known]
  | { readonly kind: 'other'; readonly name: string; readonly data: Uint8Array | undefined };

function isKnown(name: string): name is keyof Known {
  return Object.hasOwn(KNOWN, name);
}

const envelope = struct({ name: text(1), data: { ...bytes(2), type: 2 | NLA_F_NESTED } });

export const expression: Codec<Expression> = {
  put(out, value) {
    if (value.kind === 'other') {
      envelope.put(out, { name: value.name, ...(value.data && { data: value.data }) });
      return;
    }
    const { kind, ...attributes } = value;
    envelope.put(out, { name: kind });
    const at = out.open(2 | NLA_F_NESTED);
    const codec: Codec<unknown> = KNOWN[kind];
    codec.put(out, attributes);
    out.close(at);
  },
  get(bytes) {
    const { name = '', data } = envelope.get(bytes);
    if (!isKnown(name)) return { kind: 'other', name, data };
    const codec: Codec<object> = KNOWN[name];
    return { kind: name, ...codec.get(Buffer.from(data ?? [])) } as Expression;
  },
};
