/** IP addresses in attributes: 4 or 16 bytes in network order. */
import { addressBytes, addressFromBytes } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import { DecodeError } from './attributes.ts';
import type { Field } from './codec.ts';
import { AF_INET, AF_INET6 } from './uapi.ts';

export function ipAddress(type: number): Field<Address> {
  return {
    type,
    codec: {
      put: (out, address) => out.bytes(addressBytes(address)),
      get(data) {
        if (data.length !== 4 && data.length !== 16)
          throw new DecodeError(`an IP address of ${data.length} bytes`);
        return addressFromBytes(data);
      },
    },
  };
}

export function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}
