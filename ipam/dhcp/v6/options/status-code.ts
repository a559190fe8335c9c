/** How a server answers (RFC 9915, sections 21.13 and 24); the text is for people. */
import { atLeast, u16 } from '../option.ts';
import type { OptionType } from '../option.ts';

export const SUCCESS = 0;
export const UNSPEC_FAIL = 1;
export const NO_ADDRS_AVAIL = 2;
export const NO_BINDING = 3;
export const NOT_ON_LINK = 4;
export const USE_MULTICAST = 5;
export const NO_PREFIX_AVAIL = 6;

/** The names of RFC 9915; "status 77" for others. */
export function statusName(code: number): string {
  const names = ['Success', 'UnspecFail', 'NoAddrsAvail', 'NoBinding', 'NotOnLink', 'UseMulticast'];
  return [...names, 'NoPrefixAvail'][code] ?? `status ${code}`;
}

export interface Status {
  readonly code: number;
  readonly text: string;
}

export const statusCode: OptionType<Status> = {
  code: 13,
  put: ({ code, text }) => Buffer.concat([u16(code), Buffer.from(text)]),
  get: (data) => ({ code: atLeast(data, 2, 'a status').readUInt16BE(0), text: data.toString('utf8', 2) }),
};
