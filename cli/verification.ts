/** Comparing attachments with what was promised. */
import { NetmoorError } from '../lib/base/errors.ts';
import type { World } from '../lib/cni/world.ts';
import type { Netns } from '../lib/system/netns.ts';
import type { AttachmentRecord } from '../ipam/record.ts';
import { causeOfDeath, isInHand } from '../lib/mooring/death.ts';
import type { Host } from '../lib/mooring/host.ts';
import type { Kind, MooringDetail } from '../lib/mooring/kind.ts';
import { understand } from '../lib/mooring/records.ts';
import { whyElsewhere } from '../lib/mooring/vantage.ts';
import { verifyLeases } from '../lib/mooring/verify.ts';
import { kindsNamed } from '../plugins/kinds.ts';
import type { KindList } from '../plugins/kinds.ts';
import { isStranded } from '../plugins/bridge-nat/egress/verify.ts';

/** One item of `attachments` in schemas/cli-check.schema.json. */
export interface Verdict {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly name?: string;
  readonly differences: readonly string[];
  /** What could not be looked at, and why: no difference, but no proof either. */
  readonly notes: readonly string[];
  /** It is dead, and nothing is promised to it any more. */
  readonly stale?: true;
}

/** The advice where nothing else is amiss: there is nothing to repair, nor to attach again. */
export const WAIT_FOR_WAY_OUT =
  'bring that interface up: the engine leads traffic there as soon as it is, or else "netmoor repair"';

/** Whether it lacks but the interface of its way out. */
export function waitsForWayOut({ differences }: Verdict): boolean {
  return differences.length > 0 && differences.every(isStranded);
}

type Finding = Pick<Verdict, 'differences' | 'notes' | 'stale'>;

const NOTHING: Finding = { differences: [], notes: [] };

/** The namespace on record; a path that leads elsewhere by now proves nothing, the container may live on without it. */
function openSandbox(world: World, { netns }: AttachmentRecord): Netns | string {
  if (netns === undefined) return 'its namespace is not on record';
  try {
    const opened = world.openNetns(netns.path);
    if (opened.id === netns.inode) return opened;
    world.closeNetns(opened);
    return `${netns.path} is another namespace by now, so it was not looked at inside`;
  } catch (error) {
    if (!(error instanceof NetmoorError) || error.kind !== 'bad-netns') throw error;
    return `${netns.path} is gone, so it was not looked at inside`;
  }
}

async function verifyInside(
  world: World,
  kind: Kind,
  record: AttachmentRecord<MooringDetail>,
): Promise<Finding> {
  const sandbox = openSandbox(world, record);
  if (typeof sandbox === 'string') return { differences: [], notes: [sandbox] };
  try {
    return { differences: await kind.verifyInside(sandbox, record, {}), notes: [] };
  } finally {
    world.closeNetns(sandbox);
  }
}

/** A record that nobody can read is a difference, too; errors of the kernel are the caller's. */
async function look(
  world: World,
  host: Host,
  record: AttachmentRecord,
  kind: Kind | undefined,
): Promise<Finding> {
  if (record.unreadable !== undefined)
    return { differences: [`its record cannot be read: ${record.unreadable}`], notes: [] };
  const elsewhere = whyElsewhere(record, world);
  if (elsewhere !== undefined) return { differences: [], notes: [`${elsewhere}, so it was not looked at`] };
  if (isInHand(record, world)) return { differences: [], notes: [`it is ${record.state} right now`] };
  const death = causeOfDeath(host, record, kind);
  if (death !== undefined) return { differences: [`it is stale: ${death}`], notes: [], stale: true };
  const leases = verifyLeases(host, record);
  if (kind === undefined) return { differences: leases, notes: [] };
  const read = understand(kind, record);
  if ('unreadable' in read) return { differences: [...leases, read.unreadable], notes: [] };
  const outside = await kind.verify(host, read.known);
  const inside = await verifyInside(world, kind, read.known);
  return { differences: [...leases, ...outside, ...inside.differences], notes: inside.notes };
}

/**
 * Differences count only if the record is the same before and after: containers come and go meanwhile. Undefined when
 * it is gone by then.
 */
async function settled(
  world: World,
  host: Host,
  record: AttachmentRecord,
  kind: Kind | undefined,
): Promise<Finding | undefined> {
  const finding = await look(world, host, record, kind);
  if (finding.differences.length === 0) return finding;
  const current = host.store.read((tx) => tx.attachment(record));
  if (current === undefined) return undefined;
  return JSON.stringify(current) === JSON.stringify(record) ? finding : NOTHING;
}

/** Compares these records of the host's store. */
export async function verifyAll(
  world: World,
  host: Host,
  records: readonly AttachmentRecord[],
  list: KindList,
): Promise<Verdict[]> {
  const kinds = await kindsNamed(
    list,
    records.map(({ plugin }) => plugin),
  );
  const verdicts: Verdict[] = [];
  for (const record of records) {
    const finding = await settled(world, host, record, kinds.get(record.plugin));
    const { network, containerId, ifname, name } = record;
    if (finding === undefined) continue;
    verdicts.push({ network, containerId, ifname, ...(name === undefined ? {} : { name }), ...finding });
  }
  return verdicts;
}
