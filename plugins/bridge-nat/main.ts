/** bridge-nat as a CNI plugin: what each command means. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { delegateCheck, delegateDel, delegateGc, delegateStatus } from '../../lib/cni/delegate.ts';
import { DelegateError } from '../../lib/cni/errors.ts';
import { requireNetns } from '../../lib/cni/plugin.ts';
import type { AttachedContext, Context, Plugin } from '../../lib/cni/plugin.ts';
import { mergeResults } from '../../lib/cni/result.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { processIdentity } from '../../lib/system/process.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import { noteStore } from '../../ipam/store/known.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { BridgeNatConfig } from './config.ts';
import { releaseDelegated } from './delegated.ts';
import { detach, detachUnknown, teardownError } from './detach.ts';
import type { Host } from './detach.ts';
import { bridgeNameFor } from './names.ts';

/** The store of the config, which may name its directory as host-local's `dataDir` does. */
function storeDirectory({ config, world }: Context): string {
  const named = config.ipam?.['dataDir'];
  const delegated = (config.ipam?.['type'] ?? 'netmoor') !== 'netmoor' && config.ipam?.['type'] !== '';
  return typeof named === 'string' && named !== '' && !delegated ? named : world.storeDirectory;
}

/** The host this process works on. */
export function openHost(context: Context, directory = storeDirectory(context)): Host {
  const { world } = context;
  if (directory !== world.storeDirectory) noteStore(directory);
  return {
    route: NetlinkSocket.open('route'),
    netfilter: NetlinkSocket.open('netfilter'),
    store: openStore({ dir: directory, bootId: world.bootId, now: world.monotonic }),
    worker: processIdentity(world.pid),
    step: world.step,
    releaseDelegated: (record) => releaseDelegated(context, record),
  };
}

async function withHost<T>(context: Context, work: (host: Host) => T | Promise<T>): Promise<T> {
  const host = openHost(context);
  try {
    return await work(host);
  } finally {
    host.route.close();
    host.netfilter.close();
  }
}

function keyOf({ config, request }: Context): AttachmentKey {
  return { network: config.name, containerId: request.containerId, ifname: request.ifname };
}

/** The type of a delegated IPAM plugin, if the config names one. */
function delegatedType({ config }: Context): string | undefined {
  const type = config.ipam?.['type'];
  return typeof type === 'string' && type !== '' && type !== 'netmoor' ? type : undefined;
}

/** What a verb alone needs is loaded when it is called: a process serves one call. */
async function readConfig({ config, request }: Context): Promise<BridgeNatConfig> {
  const { readBridgeNatConfig } = await import('./config.ts');
  return readBridgeNatConfig(config, request);
}

async function add(context: AttachedContext): Promise<CniResult> {
  const config = await readConfig(context);
  const key = keyOf(context);
  const bridge = config.bridge ?? bridgeNameFor(key.network);
  const netns = requireNetns(context);
  const { attach } = await import('./attach.ts');
  const result = await withHost(context, (host) => attach(host, { key, config, bridge, netns, context }));
  const { prevResult } = context.config;
  return prevResult === undefined ? result : mergeResults(prevResult, result);
}

/** Without a record a delegate may still hold something. One that is not installed holds nothing: DEL has to end some time. */
function releaseUnknown(context: Context): void {
  const type = delegatedType(context);
  if (type === undefined) return;
  try {
    delegateDel(type, context);
  } catch (error) {
    if (!(error instanceof NetmoorError) || error instanceof DelegateError) throw error;
    context.note(`${error.message}: ${error.details}`);
  }
}

/** From the record alone; what the store does not know is asked of the delegate, and swept by its name. */
async function del(context: AttachedContext): Promise<void> {
  await withHost(context, (host) => {
    const key = keyOf(context);
    const record = host.store.read((tx) => tx.attachment(key));
    if (record) {
      const error = teardownError(key, detach(host, record));
      if (error) throw error;
      return;
    }
    releaseUnknown(context);
    detachUnknown(host, key);
  });
}

async function check(context: AttachedContext): Promise<void> {
  await readConfig(context);
  if (context.config.prevResult === undefined) {
    throw new NetmoorError(
      'bad-config',
      'CHECK needs the result of ADD as prevResult',
      'the runtime passes it; cniVersion must be 0.4.0 or later',
    );
  }
  const type = delegatedType(context);
  if (type !== undefined) delegateCheck(type, context);
  const { interfaces } = context.config.prevResult;
  const told = interfaces.find(({ name, sandbox }) => name === context.request.ifname && sandbox);
  const { verifyHost, verifyLeases, verifySandbox } = await import('./verify.ts');
  await withHost(context, (host) => {
    const key = keyOf(context);
    const record = host.store.read((tx) => tx.attachment(key));
    if (!record) {
      throw new NetmoorError(
        'unknown-container',
        `nothing is on record for ${formatKey(key)}`,
        'it was detached, or attached by another plugin or store',
      );
    }
    const complaints = [
      ...verifyLeases(host, record),
      ...verifyHost(host, record),
      ...verifySandbox(requireNetns(context), record, told),
    ];
    if (complaints.length === 0) return;
    throw new NetmoorError(
      'check-failed',
      `${formatKey(key)}: ${complaints.join('; ')}`,
      'detach and attach the container again (DEL, ADD)',
    );
  });
}

async function gc(context: Context): Promise<void> {
  const valid = new Set(
    context.config.validAttachments.map(({ containerId, ifname }) => `${containerId}/${ifname}`),
  );
  const failures: string[] = [];
  const { collect } = await import('./reclaim.ts');
  await withHost(context, (host) => {
    const network = context.config.name;
    failures.push(
      ...collect(host, { network }, (record) => valid.has(`${record.containerId}/${record.ifname}`)).failures,
    );
  });
  const type = delegatedType(context);
  try {
    if (type !== undefined) delegateGc(type, context);
  } catch (error) {
    failures.push(errorText(error));
  }
  if (failures.length > 0)
    throw new NetmoorError(
      'kernel',
      `not everything could be collected: ${failures.join('; ')}`,
      'it stays on record; run GC again',
    );
}

async function status(context: Context): Promise<void> {
  const config = await readConfig(context);
  const network = context.config.name;
  const type = delegatedType(context);
  if (type !== undefined) delegateStatus(type, context);
  const { probeKernel, probeStore } = await import('./status.ts');
  probeKernel();
  await withHost(context, (host) => {
    try {
      probeStore(host.store, network, config.bridge ?? bridgeNameFor(network), config);
    } catch (error) {
      if (error instanceof NetmoorError && error.kind === 'store') {
        throw new NetmoorError('not-available', error.message, error.details, { cause: error });
      }
      throw error;
    }
  });
}

export const bridgeNat: Plugin = {
  name: 'bridge-nat',
  about: 'CNI bridge-nat plugin of netmoor: bridge, veth, addresses, NAT and published ports, IPv4 and IPv6',
  add,
  check,
  del,
  gc,
  status,
};
