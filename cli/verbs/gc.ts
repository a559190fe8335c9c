/** netmoor gc: clears away what containers that are gone have left behind. */
import type { NetmoorError } from '../../lib/base/errors.ts';
import type { World } from '../../lib/cni/world.ts';
import type { NamedStore } from '../../lib/mooring/stores.ts';
import { formatKey } from '../../ipam/record.ts';
import { dhcpClients } from '../dhcp-check.ts';
import { collectDhcp } from '../gc/dhcp.ts';
import { shortenIds } from '../attachment-view.ts';
import { collectResults } from '../gc/results.ts';
import { collect, look, reasonsOfDeath } from '../gc/collect.ts';
import { rebuild } from '../gc/rebuild.ts';
import { printable } from '../text-width.ts';
import type { Found } from '../gc/collect.ts';
import type { Collection, Failure } from '../gc/garbage.ts';
import { withSockets } from '../../lib/mooring/host.ts';
import type { Sweeping } from '../../lib/mooring/upkeep.ts';
import { kindsNamed, pluginsOf } from '../../plugins/kinds.ts';
import { openAll, openStores, readable, unreadableStore } from '../stores.ts';
import type { Verb } from '../verb.ts';

export function formatCollection({ dryRun, garbage, failures, recovered, unrecorded }: Collection): string {
  const did = dryRun ? 'would remove' : 'removed';
  const lines = [
    ...garbage.map(
      ({ kind, what, reason }) => `${did} ${kind === 'attachment' ? 'attachment ' : ''}${what}: ${reason}`,
    ),
    ...failures.map(({ what, problem }) => `could not remove ${what}: ${problem}`),
    ...recovered.map((what) => `${dryRun ? 'would put' : 'put'} ${what} on record again`),
    ...unrecorded.map(
      (what) => `${what} lives and is on no record: --rebuild puts it back, --unrecorded removes it`,
    ),
  ];
  if (lines.length === 0) lines.push('nothing to collect');
  // Names of interfaces in containers are their root's to choose.
  return lines.map((line) => `${printable(shortenIds(line))}\n`).join('');
}

/** Without one of the stores only the dead of the others go: what is in the kernel may be of that one. */
function unaccounted(dir: string, error: NetmoorError): Failure {
  return { what: 'what no attachment accounts for', problem: unreadableStore(dir, error) };
}

/** What is found in two ways is told once. */
function union(first: Found, second: Found): Found {
  const told = new Set(first.garbage.map(({ what }) => what));
  return {
    garbage: [...first.garbage, ...second.garbage.filter(({ what }) => !told.has(what))],
    failures: [...first.failures, ...second.failures],
  };
}

/** A lost store takes along what is known of DHCP leases, which the kernel cannot tell again. */
function withoutLease(world: World, stores: readonly NamedStore[], dataDir: string | undefined): string[] {
  if (dataDir !== undefined) return [];
  const held = new Set(stores.flatMap(({ store }) => store.read((tx) => tx.dhcpLeases()).map(formatKey)));
  const clients = dhcpClients(
    world,
    stores.flatMap(({ store }) => store.read((tx) => tx.attachments())),
  );
  return clients
    .map(formatKey)
    .filter((key) => !held.has(key))
    .map((key) => `${key} has an address by DHCP, and no lease is on record: attach it again, or it lapses`);
}

export const verb: Verb = {
  about:
    'Detaches containers that are gone, and removes interfaces, bridges and rules of netmoor that no attachment ' +
    'accounts for; has DHCP leases of such containers given back, for which it starts the engine. What is alive, or being attached right now, is not touched.',
  options: [
    { name: 'dry-run', about: 'say what would be removed, and change nothing' },
    {
      name: 'rebuild',
      about:
        'put containers that live and are on no record on record again, from what the kernel has of them',
    },
    { name: 'unrecorded', about: 'remove the interfaces of such containers too, which cuts them off' },
  ],
  async run({ world, dataDir, switches, kinds: list }) {
    const dryRun = switches.has('dry-run');
    const notes: string[] = [];
    const asked = openStores(world, dataDir);
    const known = [
      ...asked,
      ...openAll(world).filter(({ dir }) => asked.every((named) => named.dir !== dir)),
    ];
    const unread: Found = { garbage: [], failures: [] };
    const read = readable(known, (dir, error) => {
      if (asked.every((named) => named.dir !== dir) || dataDir === undefined)
        unread.failures.push(unaccounted(dir, error));
      else throw error;
    });
    const stores = asked.filter((named) => read.includes(named));
    const whole = unread.failures.length === 0 ? read : undefined;
    const note = (line: string): void => void notes.push(line);
    const nothing: Found = { garbage: [], failures: [] };
    const collectOnFile = async (): Promise<Found> => {
      const dead = await withSockets(async (sockets) => reasonsOfDeath({ world, sockets, kinds }, stores));
      return collectResults(world, pluginsOf(list), dead, dryRun, note);
    };
    const kinds = await kindsNamed(list, list.keys());
    const onFile = dataDir === undefined ? await collectOnFile() : nothing;
    const living = switches.has('unrecorded') ? 'sweep' : 'spare';
    const sweepings = new Map<string, Sweeping>();
    for (const [name, kind] of kinds) sweepings.set(name, await kind.sweeping());
    const found = await withSockets(async (sockets) => {
      const work = { world, sockets, kinds, sweepings, note, living } as const;
      const lost = await rebuild(work, stores, { wanted: switches.has('rebuild'), dryRun });
      return { ...lost, ...(dryRun ? look(work, stores, whole) : collect(work, stores, whole)) };
    });
    const leases = await collectDhcp(world, stores, dryRun);
    notes.push(...withoutLease(world, stores, dataDir));
    const all = union(union(union(onFile, found), unread), leases);
    const collection: Collection = { dryRun, ...found, ...all };
    return {
      json: collection,
      text: () => formatCollection(collection),
      failed: collection.failures.length > 0,
      notes,
    };
  },
};
