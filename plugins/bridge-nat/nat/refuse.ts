/** How the keys that translate addresses are read, and refused. */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { parseAddress } from '../../../lib/base/ip.ts';
import type { Address, Family } from '../../../lib/base/ip.ts';

export function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

/** Throws NetmoorError('bad-config') for what is no address, or of another family. */
export function readAddress(key: string, text: string, family?: Family): Address {
  let address: Address | undefined;
  try {
    address = parseAddress(text);
  } catch (error) {
    return refuse(`${key}: ${errorText(error)}`, 'write an address');
  }
  if (family !== undefined && address.family !== family)
    return refuse(`${key}: ${text} is of another family`, `write an IPv${family} address`);
  return address;
}
