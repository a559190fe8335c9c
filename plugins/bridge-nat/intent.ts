/** What is about to be done, put on disk before the kernel is touched: the record with its addresses and ports. */
import { formatAddress } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import { delegateDel } from '../../lib/cni/delegate.ts';
import { refuseInexpressible } from '../../lib/cni/encode-result.ts';
import type { PortMapping } from '../../lib/cni/port-mappings.ts';
import type { Dns } from '../../lib/cni/result.ts';
import type { AttachmentRecord, PortRecord } from '../../ipam/record.ts';
import type { StoreTransaction } from '../../ipam/store/store.ts';
import type { AttachRequest } from './attach.ts';
import { delegateOf, leaseFromDelegate } from './delegated.ts';
import type { Host } from './detach.ts';
import { detailOf } from './detail.ts';
import { leaseFromStore } from './lease.ts';
import { containerMacFor, hostIfnameFor } from './names.ts';
import { planAttachment } from './plan.ts';
import { withStandby } from './standby.ts';

/** A record, and the dns settings of whoever gave the addresses. */
export interface Intent {
  readonly record: AttachmentRecord;
  readonly dns: Dns;
}

function portRecord({ hostIp, ...ports }: PortMapping): PortRecord {
  return hostIp === undefined ? ports : { ...ports, hostIp: formatAddress(hostIp) };
}

function baseRecord(host: Host, request: AttachRequest, mtu: number | undefined): AttachmentRecord {
  const { key, config, bridge, netns, context } = request;
  return {
    ...key,
    plugin: 'bridge-nat',
    state: 'attaching',
    bootId: context.world.bootId,
    createdAt: context.world.now(),
    ...(host.worker ? { worker: host.worker } : {}),
    ...(config.containerName === undefined ? {} : { name: config.containerName }),
    netns: { path: netns.path, inode: netns.id },
    hostIfname: hostIfnameFor(key),
    bridge,
    mac: config.mac ?? containerMacFor(key),
    ...(mtu === undefined ? {} : { mtu }),
    addresses: [],
    ports: config.portMappings.map(portRecord),
    detail: {
      ...planAttachment(config, { addresses: [], routes: undefined, dns: {} }, delegateOf(request)).detail,
    },
  };
}

/** The intent and its addresses, in one transaction, on disk before anything else happens. */
export async function recordIntent(
  host: Host,
  request: AttachRequest,
  mtu: number | undefined,
  previous: AttachmentRecord | undefined,
): Promise<Intent> {
  const base = baseRecord(host, request, mtu);
  if (request.config.ipam.kind !== 'netmoor') {
    return { record: host.store.write((tx) => rememberAttachment(tx, request, base)), dns: {} };
  }
  return leaseFromStore(host, request, previous, (tx, leased) => {
    const { addresses, detail } = planAttachment(request.config, leased, undefined);
    refuseInexpressible(addresses, request.context.config.cniVersion);
    const record = rememberAttachment(tx, request, { ...base, addresses, detail: { ...detail } });
    return { record, dns: leased.dns };
  });
}

/** Puts the record into the store, and returns it as it stands there: some of its ports may have to stand by. */
function rememberAttachment(
  tx: StoreTransaction,
  request: AttachRequest,
  wanted: AttachmentRecord,
): AttachmentRecord {
  const record = withStandby(tx, { ...wanted, ports: request.config.portMappings.map(portRecord) });
  const { network } = request.key;
  const known = tx.network(network);
  if (known?.automatic !== true) {
    const subnets = [...new Set([...(known?.subnets ?? []), ...detailOf(record).subnets])];
    tx.putNetwork({
      name: network,
      plugin: 'bridge-nat',
      bridge: request.bridge,
      subnets,
      automatic: false,
      createdAt: known?.createdAt ?? record.createdAt,
    });
  }
  tx.putAttachment(record);
  return record;
}

/** Addresses from another IPAM plugin, put on record as soon as they are known. */
export function completeDelegated(
  host: Host,
  request: AttachRequest,
  intent: Intent,
  undo: UndoStack,
): Intent {
  const delegate = delegateOf(request);
  if (delegate === undefined) return intent;
  const leased = leaseFromDelegate(delegate.type, request.context);
  undo.push(`give addresses back to ${delegate.type}`, () => delegateDel(delegate.type, request.context));
  const { addresses, detail } = planAttachment(request.config, leased, delegate);
  refuseInexpressible(addresses, request.context.config.cniVersion);
  const wanted = { ...intent.record, addresses, detail: { ...detail } };
  return { record: host.store.write((tx) => rememberAttachment(tx, request, wanted)), dns: leased.dns };
}
