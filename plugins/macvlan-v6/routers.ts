/** What is asked of the LAN's routers, beside taking what they say. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { MacvlanConfig } from './config.ts';

/** Throws NetmoorError('not-available') when an address that was asked for did not come of what routers announce. */
export function requireAsked(
  { askedOfRouters }: Pick<MacvlanConfig, 'askedOfRouters'>,
  addresses: readonly AddressRecord[],
): void {
  const present = addresses.map(({ address }) => parsePrefix(address).address);
  const lacking = askedOfRouters.find((asked) => !present.some((each) => sameAddress(each, asked)));
  if (lacking === undefined) return;
  throw new NetmoorError(
    'not-available',
    `requested address ${formatAddress(lacking)} did not come of what routers announce`,
    `there is ${present.map(formatAddress).join(', ')}; ask for one of an announced prefix, or for one of your own with its length`,
  );
}
