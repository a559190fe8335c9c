/** Bringing the ways out of all networks up to date, from the records: an interface has come or gone. */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { formatPrefix } from '../../../lib/base/ip.ts';
import type { World } from '../../../lib/cni/world.ts';
import { withSockets } from '../../../lib/mooring/host.ts';
import { knownRecords } from '../../../lib/mooring/records.ts';
import { knownStores } from '../../../lib/mooring/stores.ts';
import { whyElsewhere } from '../../../lib/mooring/vantage.ts';
import { listLinks } from '../../../lib/netlink/link.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import type { AttachmentRecord } from '../../../ipam/record.ts';
import { KIND, readDetail } from '../detail.ts';
import { keptWays, lostWays } from './orphans.ts';
import { egressOf } from './plan.ts';
import type { Egress } from './plan.ts';
import { leadAgain, look, standEgress } from './stand.ts';
import { whyNoWay } from './verify.ts';

/** One of each bridge that somebody is attached to, with the subnets of all. */
export function egressesOf(records: readonly AttachmentRecord[], world: World): Egress[] {
  const known = knownRecords({ name: KIND, readDetail }, records).filter(
    (record) =>
      record.state !== 'detaching' &&
      record.bootId === world.bootId &&
      whyElsewhere(record, world) === undefined,
  );
  const byBridge = Map.groupBy(
    known.flatMap((record) => egressOf(record) ?? []),
    ({ bridge }) => bridge,
  );
  return [...byBridge.values()].flatMap((all) => {
    const subnets = new Map(all.flatMap((each) => each.subnets).map((each) => [formatPrefix(each), each]));
    const [first] = all;
    return first === undefined ? [] : [{ ...first, subnets: [...subnets.values()] }];
  });
}

export interface Restored {
  /** Bridges with a way out of their own. */
  readonly bridges: number;
  /** What had to be changed, and why somebody has no way out now: a line for each bridge. */
  readonly changed: readonly string[];
  readonly stranded: readonly string[];
  readonly notes: readonly string[];
}

/** Errors are told, and the others go on. */
export function restoreEgress(route: NetlinkSocket, egresses: readonly Egress[]): Restored {
  const changed: string[] = [];
  const stranded: string[] = [];
  const notes: string[] = [];
  const sight = look(route);
  for (const egress of egresses) {
    try {
      const changes = standEgress(route, egress, sight);
      const why = whyNoWay(egress, sight);
      if (changes > 0) changed.push(`the way out of bridge ${egress.bridge}`);
      if (why !== undefined) stranded.push(`bridge ${egress.bridge} has no way out now: ${why}`);
    } catch (error) {
      notes.push(`the way out of bridge ${egress.bridge} could not be looked at: ${errorText(error)}`);
    }
  }
  return { bridges: egresses.length, changed, stranded, notes };
}

/** Of bridges that only a machine is plugged into by now, of which no record tells: they go where they went. */
function restoreKept(route: NetlinkSocket): Pick<Restored, 'changed' | 'notes'> & { bridges: string[] } {
  const links = listLinks(route);
  const changed: string[] = [];
  const notes: string[] = [];
  for (const way of lostWays(route, links)) {
    try {
      if (leadAgain(route, way) > 0) changed.push(`the way out of bridge ${way.bridge}`);
    } catch (error) {
      notes.push(`the way out of bridge ${way.bridge} is not led to again: ${errorText(error)}`);
    }
  }
  return { bridges: keptWays(route, links), changed, notes };
}

/** Of every store of the host that can be read. */
export async function restoreAll(world: World): Promise<Restored> {
  const notes: string[] = [];
  const records = knownStores(world).flatMap(({ dir, store }) => {
    try {
      return store.read((tx) => tx.attachments({ plugin: KIND }));
    } catch (error) {
      if (!(error instanceof NetmoorError)) throw error;
      notes.push(`${dir}: ${errorText(error)}`);
      return [];
    }
  });
  const egresses = egressesOf(records, world);
  return withSockets(({ route }) => {
    const restored = restoreEgress(route, egresses);
    const kept = restoreKept(route);
    return {
      ...restored,
      bridges: new Set([...egresses.map(({ bridge }) => bridge), ...kept.bridges]).size,
      changed: [...restored.changed, ...kept.changed],
      notes: [...notes, ...restored.notes, ...kept.notes],
    };
  });
}
