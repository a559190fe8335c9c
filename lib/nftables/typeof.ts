/**
 * How nft writes the key of a set that has a part without a type ("typeof iif . ether saddr . @th,64,128"): in the
 * set's userdata (libnftnl/udata.h, NFTNL_UDATA_SET_KEY_TYPEOF), numbers and nesting as libnftables 1.0 has them. The
 * kernel does not look at it; without it nft could not read back what it has listed.
 */
import { TYPES } from './types.ts';
import type { TypeName } from './types.ts';
import type { UserdataEntry } from './userdata.ts';

const KEY_TYPEOF = 3;
/** enum expr_types of nftables. */
const [PAYLOAD, META, CONCAT] = [7, 9, 13];
const [NFT_META_OIF, NFT_META_IIFNAME] = [5, 6];
/** proto_desc_id of Ethernet, and in it the source. */
const [ETHERNET, SOURCE] = [17, 2];
const TRANSPORT_HEADER = 3;

function entry(type: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type, value.length]), value]);
}

function number(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return entry(type, bytes);
}

function expression(type: number, ...attributes: readonly Buffer[]): Buffer {
  return Buffer.concat([number(0, type), entry(1, Buffer.concat(attributes))]);
}

function field(name: TypeName): Buffer {
  const type = TYPES[name];
  if (name === 'iface_index') return expression(META, number(0, NFT_META_OIF));
  if (name === 'ifname') return expression(META, number(0, NFT_META_IIFNAME));
  if (name === 'ether_addr') return expression(PAYLOAD, number(0, ETHERNET), number(1, SOURCE));
  const bits = 'bits' in type ? type.bits : 0;
  const place = [number(2, TRANSPORT_HEADER), number(3, bits), number(4, 8 * type.length)];
  return expression(PAYLOAD, number(0, 0), number(1, 0), ...place);
}

/** Nothing for a key all of whose parts have types. */
export function typeOf(key: readonly TypeName[]): UserdataEntry[] {
  if (!key.some((name) => 'bits' in TYPES[name])) return [];
  const fields = key.map((name, index) => entry(index, field(name)));
  return [{ type: KEY_TYPEOF, value: expression(CONCAT, ...fields) }];
}
