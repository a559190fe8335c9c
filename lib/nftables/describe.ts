/** Elements in words, as nft writes them: "192.0.2.1 . tcp . 80". */
import { addressFromBytes, formatAddress } from '../base/ip.ts';
import { formatMac } from '../base/mac.ts';
import { protocolNamed, wordIn } from '../base/transport.ts';
import type { SetElement } from './element.ts';
import { fieldsOf, setPlan } from './layout.ts';
import type { TypeName } from './types.ts';

function describeField(type: TypeName, bytes: Uint8Array): string {
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return formatAddress(addressFromBytes(bytes));
    case 'ether_addr':
      return formatMac(bytes);
    case 'inet_proto':
      return protocolNamed(bytes[0]) ?? String(bytes[0]);
    case 'inet_service':
      return String(wordIn(bytes));
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

/** The fields of an interval that differ read "first-last". */
export function describeKey({ set, key, keyEnd = key }: SetElement): string {
  const types = setPlan(set).key;
  const [first, last] = [fieldsOf(types, key), fieldsOf(types, keyEnd)];
  if (first === undefined || last === undefined) return describe(types, key);
  return types
    .map((type, index) => {
      const [from, to] = [first, last].map((fields) => describeField(type, fields[index] ?? Buffer.alloc(0)));
      return from === to ? from : `${from}-${to}`;
    })
    .join(' . ');
}

/** What a map's element leads to; empty for the element of a set. */
export function describeData({ set, data }: SetElement): string {
  return data ? describe(setPlan(set).data ?? [], data) : '';
}
