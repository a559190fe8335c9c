/** Comparing attachments with what was promised. */
import { NetmoorError, errorText } from '../lib/base/errors.ts';
import type { World } from '../lib/cni/world.ts';
import type { Netns } from '../lib/system/netns.ts';
import type { AttachmentRecord } from '../ipam/record.ts';
import type { Host } from '../plugins/bridge-nat/detach.ts';
import { causeOfDeath } from '../plugins/bridge-nat/reclaim.ts';
import { verifyHost, verifyLeases, verifySandbox } from '../plugins/bridge-nat/verify.ts';
import { isAlive } from '../lib/system/process.ts';

/** One item of `attachments` in schemas/cli-check.schema.json. */
export interface Verdict {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly name?: string;
  readonly differences: readonly string[];
  /** What could not be looked at, and why: no difference, but no proof either. */
  readonly notes: readonly string[];
}

type Finding = Pick<Verdict, 'differences' | 'notes'>;

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

function verifyInside(world: World, record: AttachmentRecord): Finding {
  const sandbox = openSandbox(world, record);
  if (typeof sandbox === 'string') return { differences: [], notes: [sandbox] };
  try {
    return { differences: verifySandbox(sandbox, record), notes: [] };
  } finally {
    world.closeNetns(sandbox);
  }
}

/** A record that the plugin cannot read is a difference, too; errors of the kernel are the caller's. */
function verifyBridgeNat(world: World, host: Host, record: AttachmentRecord): Finding {
  try {
    const outside = verifyHost(host, record);
    const inside = verifyInside(world, record);
    return { differences: [...outside, ...inside.differences], notes: inside.notes };
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'store')
      return { differences: [errorText(error)], notes: [] };
    throw error;
  }
}

function look(world: World, host: Host, record: AttachmentRecord): Finding {
  if (record.worker !== undefined && isAlive(record.worker))
    return { differences: [], notes: [`it is ${record.state} right now`] };
  const death = causeOfDeath(host.route, record, world.bootId);
  if (death !== undefined) return { differences: [`it is stale: ${death}`], notes: [] };
  const leases = verifyLeases(host, record);
  if (record.plugin !== 'bridge-nat') return { differences: leases, notes: [] };
  const { differences, notes } = verifyBridgeNat(world, host, record);
  return { differences: [...leases, ...differences], notes };
}

/**
 * Differences count only if the record is the same before and after: containers come and go meanwhile. Undefined when it is
 * gone by then.
 */
function settled(world: World, host: Host, record: AttachmentRecord): Finding | undefined {
  const finding = look(world, host, record);
  if (finding.differences.length === 0) return finding;
  const current = host.store.read((tx) => tx.attachment(record));
  if (current === undefined) return undefined;
  return JSON.stringify(current) === JSON.stringify(record) ? finding : NOTHING;
}

export function verifyAll(world: World, host: Host, records: readonly AttachmentRecord[]): Verdict[] {
  return records.flatMap((record) => {
    const finding = settled(world, host, record);
    const { network, containerId, ifname, name } = record;
    return finding === undefined
      ? []
      : [{ network, containerId, ifname, ...(name === undefined ? {} : { name }), ...finding }];
  });
}
