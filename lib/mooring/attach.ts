/**
 * Plugging a container in: intent on record, then the kernel, then the record made final. Whatever fails takes
 * everything back.
 */
import { NetmoorError, errorText } from '../base/errors.ts';
import { withoutLength } from '../base/ip.ts';
import { UndoStack } from '../base/undo.ts';
import { chooseDns } from '../cni/dns.ts';
import { typedError } from '../cni/errors.ts';
import { refuseInexpressible } from '../cni/encode-result.ts';
import type { CniResult, CniRoute } from '../cni/result.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import { delegateRecord } from './delegated.ts';
import { dhcpRecord, lessorFor } from './dhcp.ts';
import { detach, forgetRecord, isCurrent, teardownError } from './detach.ts';
import { afterwards, beginStore, writeAlone } from './host.ts';
import type { Host } from './host.ts';
import { completeDelegated, recordIntent, refuseRival } from './intent.ts';
import type { Intent } from './intent.ts';
import type { Connection, Kind, MooringConfig, MooringDetail, Request } from './kind.ts';
import { lastOf } from './records.ts';
import { recoverAfter, recoverBeforeFirst } from './recover.ts';
import type { Asked } from './request.ts';
import { openSandbox, refuseTaken } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import { apartFrom, refuseAnswered } from './strangers.ts';
import type { Strangers } from './strangers.ts';

/**
 * An attachment under this key that was never detached (a crash, a reboot, an impatient runtime) makes way for the new
 * one.
 */
function clearPrevious(kind: Kind, host: Host, key: AttachmentKey): AttachmentRecord | undefined {
  const previous = host.store.read((tx) => tx.attachment(key));
  if (previous === undefined) return undefined;
  const error = teardownError(key, detach(kind, host, previous, 'ADD'));
  if (error) throw error;
  return previous;
}

/** Whoever was faster by a moment is named, rather than the interface that he has just made. */
function refuseOccupied({ store }: Host, sandbox: Sandbox, key: AttachmentKey): void {
  try {
    refuseTaken(sandbox, key.ifname);
  } catch (error) {
    store.read((tx) => refuseRival(tx, key));
    throw error;
  }
}

/** Makes the record final. A port it stood by for may have become free since: nobody could hand it over before. */
function finish<D extends MooringDetail>(
  kind: Kind<MooringConfig, D>,
  host: Host,
  { worker: _done, ...record }: AttachmentRecord<D>,
  hostIfindex: number | undefined,
): AttachmentRecord<D> {
  const attached: AttachmentRecord<D> = {
    ...record,
    state: 'attached',
    ...(hostIfindex === undefined ? {} : { hostIfindex }),
  };
  return host.store.write((tx) => {
    if (!isCurrent(tx, record)) {
      throw new NetmoorError(
        'try-again',
        'the attachment was taken down while it was being made',
        'try again',
      );
    }
    const final = kind.claim(tx, attached);
    tx.putAttachment(final);
    kind.settle(host, tx, attached, final);
    return final;
  });
}

/**
 * From here on nobody makes anything for it who sees to others, too. False when another life of its key has begun: that
 * one has taken it down, and what bears its names is not its own any more.
 */
function markDetaching<D extends MooringDetail>(host: Host, record: AttachmentRecord<D>): boolean {
  const { store, worker } = host;
  try {
    return store.write((tx) => {
      if (!isCurrent(tx, record)) return tx.incarnation(record) === undefined;
      tx.putAttachment({ ...record, state: 'detaching', ...(worker ? { worker } : {}) });
      return true;
    });
  } catch {
    // What is wrong with the store is told when the record is to be forgotten.
    return true;
  }
}

/** Takes back what was done and forgets the intent; what could not be taken back stays on record for GC. */
function rollBack<D extends MooringDetail>(
  kind: Kind<MooringConfig, D>,
  host: Host,
  record: AttachmentRecord<D>,
  undo: UndoStack,
  cause: unknown,
): unknown {
  if (!markDetaching(host, record)) return cause;
  const failures = undo.run();
  try {
    writeAlone(host, (tx, ask, look) => {
      if (!isCurrent(tx, record)) return;
      if (failures.length > 0) tx.putAttachment({ ...record, state: 'detaching' });
      else forgetRecord(kind, { ...host, askOthers: look }, tx, record, lastOf(tx, ask, kind, record));
    });
  } catch (error) {
    failures.push({ what: 'forget the intent', error });
  }
  if (failures.length === 0) return cause;
  const list = failures.map(({ what, error }) => `${what}: ${errorText(error)}`).join('; ');
  const message = `${errorText(cause)}; and taking it back failed: ${list}`;
  return new NetmoorError(typedError(cause).kind, message, 'run "netmoor gc"', { cause });
}

interface Made<D extends MooringDetail> {
  readonly intent: Intent<D>;
  readonly connection: Connection<D>;
  /** Beside those on record. */
  readonly routes: readonly CniRoute[];
}

/** The last step; what only the network could tell goes on record with the rest. */
async function configured<D extends MooringDetail>(
  connection: Connection<D>,
  intent: Intent<D>,
  undo: UndoStack,
): Promise<Made<D>> {
  const found = await connection.configure(intent.record, undo, intent.unused === true);
  if (found === undefined) return { intent, connection, routes: [] };
  const { addresses, detail, routes, mac, leased = true } = found;
  const { dhcp, ...others } = intent.record;
  const record = leased && dhcp ? { ...others, dhcp } : others;
  const more = { addresses, detail, ...(mac === undefined ? {} : { mac }) };
  const dns = Object.keys(intent.dns).length > 0 ? intent.dns : found.dns;
  return { intent: { record: { ...record, ...more }, dns }, connection, routes };
}

/** The kernel's part. `progress` is told of the record as it grows, for the roll-back. */
async function make<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  host: Host,
  request: Request<C>,
  { delegation }: Asked<C>,
  sandbox: Sandbox,
  intent: Intent<D>,
  undo: UndoStack,
  progress: (record: AttachmentRecord<D>) => void,
): Promise<Made<D>> {
  const lease = (): Intent<D> => {
    const leased = completeDelegated(kind, host, request, delegation, intent, undo);
    progress(leased.record);
    host.step('attach: addresses leased');
    return leased;
  };
  if (kind.addresses(request.config) === 'before-link') {
    const leased = lease();
    const connection = await kind.connect(host, request, sandbox, leased.record, undo);
    return configured(connection, leased, undo);
  }
  const connection = await kind.connect(host, request, sandbox, intent.record, undo);
  await connection.raise(undo);
  host.step('attach: link raised');
  return configured(connection, lease(), undo);
}

function resultOf<D extends MooringDetail>(
  record: AttachmentRecord<D>,
  { connection, routes }: Made<D>,
  dns: CniResult['dns'],
): CniResult {
  const interfaces = connection.interfaces(record);
  const own = interfaces.findIndex(({ sandbox }) => sandbox !== undefined);
  return {
    interfaces,
    ips: record.addresses.map(({ address, gateway }) => ({
      interface: own,
      address,
      ...(gateway === undefined ? {} : { gateway }),
    })),
    routes: [...record.detail.routes, ...routes].map((route) => ({ ...route })),
    dns,
  };
}

/** One attempt at an attachment. */
interface Mooring<C extends MooringConfig, D extends MooringDetail> {
  readonly kind: Kind<C, D>;
  readonly host: Host;
  readonly asked: Asked<C>;
  readonly request: Request<C>;
  readonly sandbox: Sandbox;
  /** What was on record under the key. */
  readonly previous: AttachmentRecord | undefined;
}

/** From the intent to the result; whatever fails takes everything back. */
async function moor<C extends MooringConfig, D extends MooringDetail>(
  { kind, host, asked, request, sandbox, previous }: Mooring<C, D>,
  strangers: Strangers | undefined,
): Promise<CniResult> {
  const { ipam, dhcp } = request.config;
  const lessors = {
    delegate: delegateRecord(ipam, asked.delegation),
    dhcp: dhcpRecord(dhcp, asked.delegation),
  };
  const intent = await recordIntent(kind, host, request, lessors, previous);
  const undo = new UndoStack();
  let reached = intent.record;
  try {
    host.step('attach: intent recorded');
    refuseAnswered(strangers, intent.record);
    const made = await make(kind, host, request, asked, sandbox, intent, undo, (record) => {
      reached = record;
    });
    refuseInexpressible(made.intent.record.addresses, request.cniVersion);
    const record = finish(kind, host, made.intent.record, made.connection.hostIfindex);
    reached = record;
    host.step('attach: recorded');
    made.connection.assure?.(record);
    const result = resultOf(record, made, chooseDns({ ...asked.dns, ipam: made.intent.dns }));
    undo.disarm();
    return result;
  } catch (error) {
    throw rollBack(kind, host, reached, undo, error);
  }
}

/** The same, with addresses that nobody else on the segment has. */
async function moorApart<C extends MooringConfig, D extends MooringDetail>(
  mooring: Mooring<C, D>,
): Promise<CniResult> {
  const { kind, host, request, previous } = mooring;
  const { config, key, segment } = request;
  const ours = config.ipam.kind === 'netmoor';
  const strangers = ours ? await kind.strangers?.(host, config, key, segment) : undefined;
  const before = previous?.addresses.map(({ address }) => withoutLength(address)) ?? [];
  return apartFrom(strangers, config.requestedAddresses, before, (barred) =>
    moor({ ...mooring, request: strangers ? { ...request, barred } : request }, strangers),
  );
}

/** Attaches a container; the result in the shape of CNI 1.1.0. Throws with nothing left behind. */
export async function attach<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  host: Host,
  asked: Asked<C>,
): Promise<CniResult> {
  const { key, netns, cniVersion } = asked;
  const sandbox = openSandbox(netns, host.world);
  try {
    beginStore(host);
    const before = clearPrevious(kind, host, key);
    host.step('attach: way cleared');
    refuseOccupied(host, sandbox, key);
    const config = kind.complete(host, asked.config, key.network);
    const segment = kind.segmentOf(config, key.network);
    const { dhcp } = config;
    const request: Request<C> = {
      ...{ key, config, netns, segment, cniVersion },
      ...(dhcp === undefined ? {} : { lessor: lessorFor(key, dhcp, asked.delegation) }),
    };
    const recovered = await recoverBeforeFirst(kind, host, key, segment);
    // An earlier life of the key itself may have been among what the store had lost.
    const previous = recovered ? (clearPrevious(kind, host, key) ?? before) : before;
    const mooring = { kind, host, asked, request, sandbox, previous };
    try {
      return await moorApart(mooring);
    } catch (error) {
      if (!(await recoverAfter(kind, host, error, segment))) throw error;
      const left = clearPrevious(kind, host, key) ?? previous;
      return await moorApart({ ...mooring, previous: left });
    }
  } finally {
    afterwards(host, () => sandbox.route.close());
  }
}
