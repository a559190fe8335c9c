/**
 * Leases of DHCP servers whose container is gone. The engine gives them back, by itself when it next looks, within half
 * a minute; here it is asked to look now, and started when there is none. It judges anew: nothing is taken away from a
 * container that came meanwhile.
 */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import type { World } from '../../lib/cni/world.ts';
import { here } from '../../lib/mooring/vantage.ts';
import type { NamedStore } from '../../lib/mooring/stores.ts';
import { formatKey } from '../../ipam/record.ts';
import type { DhcpLeaseRecord } from '../../ipam/dhcp/record.ts';
import type { Found } from './collect.ts';
import type { Garbage } from './garbage.ts';

interface Left {
  readonly record: DhcpLeaseRecord;
  readonly reason: string;
}

function garbageOf({ record, reason }: Left): Garbage {
  return { kind: 'lease', what: `the DHCP lease of ${formatKey(record)}`, reason };
}

/** Of an earlier boot, and valid no more: there is nothing to give back. */
function findLapsed(world: World, records: readonly DhcpLeaseRecord[]): Left[] {
  return records
    .filter(
      ({ bootId, lapsesAt }) => bootId !== world.bootId && lapsesAt !== undefined && lapsesAt <= world.now(),
    )
    .map((record) => ({ record, reason: 'it is of an earlier boot of the host, and has lapsed' }));
}

async function findGone(world: World, records: readonly DhcpLeaseRecord[]): Promise<Left[]> {
  const { netns } = here(world);
  const ours = records.filter(({ bootId, host }) => bootId === world.bootId && host.netns === netns);
  if (ours.length === 0) return [];
  const { whoIsGone } = await import('../../plugins/dhcp-ipam/tasks/enter.ts');
  const reasons = whoIsGone(
    world,
    ours.map((record) => ({ ...record.netns, ifname: record.ifname })),
  );
  return ours.flatMap((record, index) => {
    const reason = record.gone ?? reasons[index];
    return reason ? [{ record, reason }] : [];
  });
}

/** Milliseconds: for an engine to begin, and for one to look. */
const START_MS = 20_000;
const LOOK_MS = 30_000;
/** For a look that had begun before. */
const SETTLE_MS = 5_000;
const PAUSE_MS = 50;

/** Throws EngineError, NetmoorError. */
async function haveEngineLook(world: World): Promise<void> {
  const { ensureEngine } = await import('../../lib/engine/ensure.ts');
  const { askEngine } = await import('../../lib/engine/client.ts');
  const { pluginRequest } = await import('../../lib/engine/request.ts');
  const { DHCP_IPAM } = await import('../../lib/mooring/ipam-type.ts');
  ensureEngine({ monotonic: world.monotonic, pause: world.pause }, START_MS);
  // Without a list of who is attached, GC is about those alone that are gone for certain.
  const config = { cniVersion: '1.1.0', name: 'netmoor-gc', type: DHCP_IPAM, ipam: { type: DHCP_IPAM } };
  const request = pluginRequest({
    program: DHCP_IPAM,
    environment: { CNI_COMMAND: 'GC', CNI_PATH: '/' },
    stdin: Buffer.from(JSON.stringify(config)),
    deadline: LOOK_MS,
  });
  const answer = askEngine(request, LOOK_MS);
  if ('exitCode' in answer && answer.exitCode === 0) return;
  const said = 'stdout' in answer ? answer.stdout : '';
  throw new NetmoorError('delegate', `the engine could not look: ${said.trim()}`, 'its journal says more');
}

function isStillThere({ store }: NamedStore, { record }: Left): boolean {
  return store.read((tx) => tx.dhcpLease(record))?.incarnation === record.incarnation;
}

function settle(world: World, named: NamedStore, left: readonly Left[]): void {
  const deadline = world.monotonic() + SETTLE_MS;
  while (left.some((each) => isStillThere(named, each)) && world.monotonic() < deadline)
    world.pause(PAUSE_MS);
}

/** The next engine, whoever starts it, finds it and gives it back. */
function markGone({ store }: NamedStore, { record, reason }: Left): void {
  store.write((tx) => {
    const current = tx.dhcpLease(record);
    if (current?.incarnation === record.incarnation && current.gone === undefined)
      tx.putDhcpLease({ ...current, gone: reason });
  });
}

async function giveBack(world: World, named: NamedStore, left: readonly Left[]): Promise<Found> {
  let problem = 'the engine has not given it back yet: its journal says why';
  try {
    await haveEngineLook(world);
    settle(world, named, left);
  } catch (error) {
    if (!(error instanceof NetmoorError)) throw error;
    problem = `the next engine does it: ${errorText(error)}`;
    for (const each of left) markGone(named, each);
  }
  const [stay, went] = [true, false].map((there) =>
    left.filter((each) => isStillThere(named, each) === there),
  );
  return {
    garbage: (went ?? []).map(garbageOf),
    failures: (stay ?? []).map((each) => ({ what: garbageOf(each).what, problem })),
  };
}

/** Only the host's own store has any. */
export async function collectDhcp(
  world: World,
  stores: readonly NamedStore[],
  dryRun: boolean,
): Promise<Found> {
  const named = stores.find(({ dir }) => dir === world.storeDirectory);
  const all = named?.store.read((tx) => tx.dhcpLeases()) ?? [];
  const records = all.filter(({ host }) => host.id === here(world).id);
  if (named === undefined || records.length === 0) return { garbage: [], failures: [] };
  const lapsed = findLapsed(world, records);
  const gone = await findGone(world, records);
  if (dryRun) return { garbage: [...lapsed, ...gone].map(garbageOf), failures: [] };
  if (lapsed.length > 0)
    named.store.write((tx) => {
      for (const { record } of lapsed)
        if (tx.dhcpLease(record)?.incarnation === record.incarnation) tx.removeDhcpLease(record);
    });
  const found = gone.length === 0 ? { garbage: [], failures: [] } : await giveBack(world, named, gone);
  return { garbage: [...lapsed.map(garbageOf), ...found.garbage], failures: found.failures };
}
