/** Elements in words, as nft writes them: "192.0.2.1 . tcp . 80". */
import { addressFromBytes, formatAddress } from '../base/ip.ts';
import { formatMac } from '../base/mac.ts';
import type { SetElement } from './elements.ts';
import { fieldsOf, setPlan } from './layout.ts';
import type { TypeName } from './layout.ts';

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function describeField(type: TypeName, bytes: Uint8Array): string {
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return formatAddress(addressFromBytes(bytes));
    case 'ether_addr':
      return formatMac(bytes);
    case 'inet_proto':
      return PROTOCOL_NAMES.get(bytes[0] ?? 0) ?? String(bytes[0]);
    case 'inet_service':
      return String(Buffer.from(bytes).readUInt16BE(0));
    case 'iface_index':
      return String(Buffer.from(bytes).readUInt32LE(0));
    case 'nd_target':
      return formatAddress(addressFromBytes(bytes));
    case 'nd_target_prefix':
    case 'nd_target_id':
      return Buffer.from(bytes).toString('hex');
    case 'ifname':
      return Buffer.from(bytes).toString('utf8').replace(/\0.*$/s, '');
  }
}

function describe(types: readonly TypeName[], bytes: Uint8Array): string {
  const fields = fieldsOf(types, bytes);
  if (fields === undefined) return Buffer.from(bytes).toString('hex');
  return types.map((type, index) => describeField(type, fields[index] ?? Buffer.alloc(0))).join(' . ');
}

/** An interval reads "first-last". */
export function describeKey({ set, key, keyEnd }: SetElement): string {
  const types = setPlan(set).key;
  return keyEnd
    ? `${describe(types, key)}-${describe(types.slice(1), keyEnd.subarray(16))}`
    : describe(types, key);
}

/** What a map's element leads to; empty for the element of a set. */
export function describeData({ set, data }: SetElement): string {
  return data ? describe(setPlan(set).data ?? [], data) : '';
}
