/** Leases that have come to their end. */
import { clearAway, reclaimDead } from '../../../lib/mooring/collect.ts';
import { causeOfDeath } from '../../../lib/mooring/death.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { formatKey } from '../../../ipam/record.ts';
import type { AttachmentRecord } from '../../../ipam/record.ts';
import { KIND } from '../detail.ts';
import { bridgeNat } from '../kind.ts';
import { clientOf } from './client.ts';

function leasesIn({ store, world }: Host): AttachmentRecord[] {
  return store
    .read((tx) => tx.attachments({ plugin: KIND }))
    .filter((record) => record.bootId === world.bootId && clientOf(record) !== undefined);
}

/** Takes down those that have ended, and what was left half done; what was done, and what went wrong, in words. */
export function collectEnded(host: Host): string[] {
  return leasesIn(host).flatMap((record) => {
    const why = causeOfDeath(host, record, bridgeNat);
    if (why === undefined) return [];
    const problems = clearAway(bridgeNat, host, record).map(({ what }) => what);
    const [address] = record.addresses;
    return problems.length === 0
      ? [`${formatKey(record)}: ${why}, ${address?.address} is free`]
      : problems.map((problem) => `${formatKey(record)}: ${problem}`);
  });
}

/** Milliseconds since boot; undefined when there is no lease. */
export function nextEnd(host: Host): number | undefined {
  const ends = leasesIn(host).flatMap((record) => clientOf(record)?.until ?? []);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** Takes down the dead of a bridge, containers and leases, for whom the pool has nothing left; how many. */
export function reclaim(host: Host, segment: string): number {
  return reclaimDead(bridgeNat, host, { segment });
}
