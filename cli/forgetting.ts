/** Forgetting a network: the subnets that netmoor picked for it are free again, and the next attachment picks anew. */
import { NetmoorError } from '../lib/base/errors.ts';
import { nearest } from '../lib/base/suggest.ts';
import type { NetworkRecord } from '../ipam/record.ts';
import { allCachedAttachments } from '../lib/cni/lists/cache.ts';
import type { World } from '../lib/cni/world.ts';
import { shortenIds } from './attachment-view.ts';
import { readNetworks } from './stores.ts';
import type { NamedStore } from '../lib/mooring/stores.ts';

function refuseUsed(name: string, containerId: string, ifname: string): never {
  throw new NetmoorError(
    'bad-config',
    `network ${name} is kept: ${shortenIds(containerId)} is attached to it, as ${ifname}`,
    'detach its containers first; "netmoor gc" detaches those that are gone',
  );
}

function refuseUnknown(name: string, stores: readonly NamedStore[]): never {
  const meant = nearest(
    name,
    readNetworks(stores, () => {}).map((network) => network.name),
  );
  throw new NetmoorError(
    'unknown-container',
    `there is no network ${name} on record`,
    `${meant === undefined ? '' : `did you mean ${meant}? `}"netmoor networks" lists them`,
  );
}

/**
 * Takes the network off the record of every store that has it, and returns what was on record. Throws 'bad-config'
 * while anything is attached to it, 'unknown-container' when no store has it.
 */
export function forgetNetwork(name: string, stores: readonly NamedStore[], world: World): NetworkRecord[] {
  const cached = allCachedAttachments(world).find(({ network }) => network === name);
  if (cached !== undefined) refuseUsed(name, cached.containerId, cached.ifname);
  const forgotten = stores
    .filter(({ store }) => store.read((tx) => tx.network(name)) !== undefined)
    .flatMap(({ store }) =>
      store.write((tx) => {
        const [used] = tx.attachments({ network: name });
        if (used !== undefined) refuseUsed(name, used.containerId, used.ifname);
        const record = tx.network(name);
        tx.removeNetwork(name);
        return record ?? [];
      }),
    );
  return forgotten.length > 0 ? forgotten : refuseUnknown(name, stores);
}
