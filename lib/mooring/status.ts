/** STATUS: would an ADD succeed? Said before a container is made, instead of after. */
import { NetmoorError } from '../base/errors.ts';
import { exhaustedRanges } from '../../ipam/lease.ts';
import type { Host } from './host.ts';
import type { Kind, MooringConfig } from './kind.ts';

/** Whether the store can be written, and the pool has an address left in every set. Throws 'not-available'. */
export function probeStore<C extends MooringConfig>(
  kind: Kind<C>,
  { store }: Host,
  network: string,
  config: C,
): void {
  const { ipam } = config;
  if (ipam.kind !== 'netmoor') return;
  const { automatic, pool, extraRanges } = ipam;
  const scope = kind.scopeOf(kind.segmentOf(config, network));
  const exhausted = store.write((tx) => {
    const subnets = automatic ? tx.network(network)?.subnets : undefined;
    if (automatic && subnets === undefined) return [];
    return exhaustedRanges(tx, { scope, config: pool, extraRanges, subnets });
  });
  if (exhausted.length === 0) return;
  throw new NetmoorError(
    'not-available',
    `network ${network} has no free address in ${exhausted.join(' and ')}`,
    'detach containers, run "netmoor gc", or give the network larger ranges',
  );
}
