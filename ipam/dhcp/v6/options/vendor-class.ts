/** What hardware the client is, in its vendor's words (RFC 9915, section 21.16). */
import { listed, unlisted } from '../opaque-list.ts';
import { atLeast, u32 } from '../option.ts';
import type { OptionType } from '../option.ts';

export interface VendorClass {
  /** IANA private enterprise number. */
  readonly enterprise: number;
  /** In hexadecimal. */
  readonly classes: readonly string[];
}

export const vendorClass: OptionType<VendorClass> = {
  code: 16,
  put: ({ enterprise, classes }) => Buffer.concat([u32(enterprise), unlisted(classes)]),
  get: (data) => ({
    enterprise: atLeast(data, 4, 'a vendor class').readUInt32BE(0),
    classes: listed(data.subarray(4)),
  }),
};
