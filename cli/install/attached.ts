/** Who would be left without netmoor: attachments and DHCP leases on record, of all stores. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatKey } from '../../ipam/record.ts';
import { openAll, readAttachments, readDhcpLeases } from '../stores.ts';
import type { VerbContext } from '../verb.ts';

/** More are counted, not named. */
const NAMED = 5;

function named(keys: readonly string[]): string {
  const more = keys.length - NAMED;
  return `${keys.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/**
 * Throws NetmoorError('not-available') as long as anything is on record, or a store cannot be read; the dead too, since
 * nobody could clear them away afterwards.
 */
export function refuseAttached({ world }: Pick<VerbContext, 'world'>): void {
  const stores = openAll(world);
  const unreadable = (_dir: string, error: NetmoorError): never => {
    throw error;
  };
  const attached = readAttachments(stores, unreadable).map(formatKey);
  const leased = readDhcpLeases(stores, unreadable)
    .filter(({ bootId }) => bootId === world.bootId)
    .map(formatKey);
  const keys = [...new Set([...attached, ...leased])];
  if (keys.length === 0) return;
  throw new NetmoorError(
    'not-available',
    `containers are attached still: ${named(keys)}`,
    'stop them, or detach them ("netmoor ls" lists them, "netmoor gc" clears away those that are gone); ' +
      '--force leaves them as they are, with nobody to detach them',
  );
}
