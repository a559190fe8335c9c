/** Clearing away: the GC verb, what an ADD reclaims when a pool is full, and the dead that `netmoor gc` finds. */
import { NetmoorError, errorText } from '../base/errors.ts';
import { formatKey } from '../../ipam/record.ts';
import { StoreHeld } from '../../ipam/store/store.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { AttachmentFilter } from '../../ipam/store/store.ts';
import { causeOfDeath, isInHand } from './death.ts';
import { detach } from './detach.ts';
import type { Host } from './host.ts';
import type { Kind } from './kind.ts';
import { whyElsewhere } from './vantage.ts';

/** What could not be collected: in words, and why. */
export interface Uncollected {
  readonly what: string;
  readonly error: unknown;
}

/** Takes one down; returns what went wrong. */
export function clearAway(kind: Kind, host: Host, record: AttachmentRecord): Uncollected[] {
  try {
    return detach(kind, host, record).map(({ what, error }) => ({
      what: `${what}: ${errorText(error)}`,
      error,
    }));
  } catch (error) {
    return [{ what: errorText(error), error }];
  }
}

/** Then the next one would wait as long for whoever holds the store. */
export function isHeld(uncollected: readonly Uncollected[]): boolean {
  return uncollected.some(({ error }) => error instanceof StoreHeld);
}

/**
 * Detaches every dead attachment of the filter, and with `yielding` those that make way for a container; returns how
 * many were cleared away entirely.
 */
export function reclaimDead(kind: Kind, host: Host, filter: AttachmentFilter, yielding = false): number {
  const yields = (record: AttachmentRecord): boolean =>
    yielding && whyElsewhere(record, host.world) === undefined && kind.makesWay?.(record) === true;
  const dead = host.store
    .read((tx) => tx.attachments({ ...filter, plugin: kind.name }))
    .filter((record) => yields(record) || causeOfDeath(host, record, kind) !== undefined);
  return dead.filter((record) => clearAway(kind, host, record).length === 0).length;
}

/**
 * Detaches all of a network that `keep` does not vouch for, going on after failures, which are returned, unless the
 * store is held. What somebody is at work on, and what is out of reach, is left.
 */
export function collect(
  kind: Kind,
  host: Host,
  network: string,
  keep: (record: AttachmentRecord) => boolean,
): Uncollected[] {
  const failures: Uncollected[] = [];
  for (const record of host.store.read((tx) => tx.attachments({ network, plugin: kind.name }))) {
    if (isInHand(record, host.world) || whyElsewhere(record, host.world) !== undefined || keep(record))
      continue;
    const uncollected = clearAway(kind, host, record);
    for (const { what, error } of uncollected)
      failures.push({ what: `${formatKey(record)}: ${what}`, error });
    if (isHeld(uncollected)) break;
  }
  return failures;
}

/**
 * One error for what could not be collected; undefined when all could. 'try-again' where that is all it takes: a store
 * was held by somebody else for too long.
 */
export function collectionError(failures: readonly Uncollected[]): NetmoorError | undefined {
  if (failures.length === 0) return undefined;
  const passes = ({ error }: Uncollected): boolean =>
    error instanceof NetmoorError && error.kind === 'try-again';
  return new NetmoorError(
    failures.every(passes) ? 'try-again' : 'kernel',
    `not everything could be collected: ${failures.map(({ what }) => what).join('; ')}`,
    'it stays on record; run GC again',
  );
}
