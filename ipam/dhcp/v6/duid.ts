/**
 * What identifies a client or server for ever (DUID; RFC 9915, section 11, and RFC 6355). Everywhere else a DUID is
 * its hexadecimal digits, since the RFC forbids to look inside; this is for people, and to make one.
 */
import { DecodeError } from '../decode-error.ts';
import { hexBytes, u16, u32 } from './option.ts';

/** Section 11.1: two bytes of type and at most 128 more. */
const SHORTEST = 3;
const LONGEST = 130;

const LLT = 1;
const EN = 2;
const LL = 3;
const UUID = 4;

/** `seconds` since 2000-01-01 UTC; `hardware`: IANA ARP hardware type; `address`, `identifier`, `uuid`, `data`: hex. */
export type Duid =
  | { readonly type: 'LLT'; readonly hardware: number; readonly seconds: number; readonly address: string }
  | { readonly type: 'EN'; readonly enterprise: number; readonly identifier: string }
  | { readonly type: 'LL'; readonly hardware: number; readonly address: string }
  | { readonly type: 'UUID'; readonly uuid: string }
  | { readonly type: 'opaque'; readonly data: string };

/** Throws DecodeError for what is too short or too long. */
export function duidDigits(data: Buffer): string {
  if (data.length < SHORTEST || data.length > LONGEST)
    throw new DecodeError(`a DUID of ${data.length} bytes`);
  return data.toString('hex');
}

/** Throws RangeError for what is too short, too long or not hexadecimal. */
export function duidBytes(digits: string): Buffer {
  const data = hexBytes(digits);
  if (data.length < SHORTEST || data.length > LONGEST) throw new RangeError(`a DUID of ${data.length} bytes`);
  return data;
}

/** What the digits say; whatever does not fit its type is opaque. Throws RangeError as duidBytes does. */
export function readDuid(digits: string): Duid {
  const data = duidBytes(digits);
  const hex = (from: number): string => data.toString('hex', from);
  const type = data.readUInt16BE(0);
  if (type === LLT && data.length > 8)
    return { type: 'LLT', hardware: data.readUInt16BE(2), seconds: data.readUInt32BE(4), address: hex(8) };
  if (type === EN && data.length > 6)
    return { type: 'EN', enterprise: data.readUInt32BE(2), identifier: hex(6) };
  if (type === LL && data.length > 4) return { type: 'LL', hardware: data.readUInt16BE(2), address: hex(4) };
  if (type === UUID && data.length === 18) return { type: 'UUID', uuid: hex(2) };
  return { type: 'opaque', data: data.toString('hex') };
}

function partsOf(duid: Duid): readonly Buffer[] {
  switch (duid.type) {
    case 'LLT':
      return [u16(LLT), u16(duid.hardware), u32(duid.seconds), hexBytes(duid.address)];
    case 'EN':
      return [u16(EN), u32(duid.enterprise), hexBytes(duid.identifier)];
    case 'LL':
      return [u16(LL), u16(duid.hardware), hexBytes(duid.address)];
    case 'UUID':
      return [u16(UUID), hexBytes(duid.uuid)];
    case 'opaque':
      return [hexBytes(duid.data)];
  }
}

/** Its digits. */
export function writeDuid(duid: Duid): string {
  return Buffer.concat(partsOf(duid)).toString('hex');
}
