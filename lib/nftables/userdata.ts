/**
 * Userdata: bytes the kernel keeps for user space, which by libnftnl's convention (libnftnl/udata.h) are entries of
 * type, length and value, one byte each for the first two. `nft list` shows the comment entry, so netmoor's comments
 * are there for everyone to read.
 */
import type { Codec, Field } from '../netlink/codec.ts';
import { DecodeError } from '../netlink/attributes.ts';

export interface UserdataEntry {
  readonly type: number;
  readonly value: Uint8Array;
}

/**
 * NFTNL_UDATA_TABLE_COMMENT, _CHAIN_COMMENT, _RULE_COMMENT and _SET_ELEM_COMMENT; a set's comment has another number.
 */
const COMMENT = 0;

/** NFTNL_UDATA_COMMENT_MAXLEN, which nft holds itself to, without the terminating NUL. */
export const COMMENT_MAX_LENGTH = 127;

const entries: Codec<readonly UserdataEntry[]> = {
  put(out, list) {
    for (const { type, value } of list) {
      out.u8(type);
      out.u8(value.length);
      out.bytes(value);
    }
  },
  get(data) {
    const list: UserdataEntry[] = [];
    for (let at = 0; at < data.length; ) {
      const length = data[at + 1];
      if (length === undefined || length > data.length - at - 2)
        throw new DecodeError('userdata ends within an entry');
      list.push({ type: data.readUInt8(at), value: data.subarray(at + 2, at + 2 + length) });
      at += 2 + length;
    }
    return list;
  },
};

/**
 * Other programs may keep bytes of their own making there; what does not read as entries is kept as bytes, for a
 * stranger's rule must not make a dump unreadable.
 */
export function userdata(type: number): Field<readonly UserdataEntry[] | Uint8Array> {
  return {
    type,
    codec: {
      put(out, value) {
        if (value instanceof Uint8Array) out.bytes(value);
        else entries.put(out, value);
      },
      get(data) {
        try {
          return entries.get(data);
        } catch {
          return data;
        }
      },
    },
  };
}

/** Userdata that says `comment`, at most COMMENT_MAX_LENGTH bytes of it. */
export function commented(comment: string): readonly UserdataEntry[] {
  const value = Buffer.from(`${comment}\0`);
  if (value.length > COMMENT_MAX_LENGTH + 1)
    throw new RangeError(`the comment ${JSON.stringify(comment)} is too long`);
  return [{ type: COMMENT, value }];
}

/** The comment in the userdata of a table, chain, rule or element, if there is one. */
export function commentIn(data: readonly UserdataEntry[] | Uint8Array | undefined): string | undefined {
  if (data === undefined || data instanceof Uint8Array) return undefined;
  const entry = data.find(({ type }) => type === COMMENT);
  if (entry === undefined) return undefined;
  const text = Buffer.from(entry.value).toString('utf8');
  return text.endsWith('\0') ? text.slice(0, -1) : text;
}
