/** What is about to be done, put on record before the kernel is touched, with its addresses and ports. */
import { NetmoorError } from '../base/errors.ts';
import { formatAddress } from '../base/ip.ts';
import type { UndoStack } from '../base/undo.ts';
import type { Delegation } from '../cni/delegate.ts';
import { refuseInexpressible } from '../cni/encode-result.ts';
import type { PortMapping } from '../cni/port-mappings.ts';
import type { Dns } from '../cni/result.ts';
import { noneIsNew } from '../../ipam/lease.ts';
import { RECORD_VERSION, formatKey } from '../../ipam/record.ts';
import type {
  AttachmentKey,
  AttachmentRecord,
  DelegateRecord,
  DhcpRecord,
  PortRecord,
} from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { leaseFromDelegate } from './delegated.ts';
import type { Host } from './host.ts';
import type { Kind, Leased, MooringConfig, MooringDetail, Request } from './kind.ts';
import { leaseFromStore } from './lease.ts';
import { clearingRivals } from './rival.ts';
import { here } from './vantage.ts';

/** A record, and what else is known of its addresses: see Leased. */
export interface Intent<D extends MooringDetail> extends Pick<Leased, 'dns' | 'unused'> {
  readonly record: AttachmentRecord<D>;
}

/** Who has leased it addresses beside the store, as the record keeps it. */
export interface Lessors {
  readonly delegate?: DelegateRecord | undefined;
  readonly dhcp?: DhcpRecord | undefined;
}

const NOTHING_LEASED: Leased = { addresses: [], routes: undefined, dns: {} };

export function portRecord({ hostIp, ...ports }: PortMapping): PortRecord {
  return hostIp === undefined ? ports : { ...ports, hostIp: formatAddress(hostIp) };
}

function baseRecord<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  host: Host,
  { key, config, segment, netns }: Request<C>,
  { delegate, dhcp }: Lessors,
): AttachmentRecord<D> {
  const { worker, world } = host;
  const createdAt = world.now();
  const { containerName, portMappings } = config;
  return {
    version: RECORD_VERSION,
    ...key,
    plugin: kind.name,
    state: 'attaching',
    incarnation: [worker?.pid, worker?.started, worker?.request, createdAt].join('.'),
    bootId: world.bootId,
    createdAt,
    host: here(world),
    ...(worker ? { worker } : {}),
    ...(containerName === undefined ? {} : { name: containerName }),
    netns: { path: netns.path, inode: netns.id },
    segment,
    ...kind.identify(key, config),
    addresses: [],
    ports: portMappings.map(portRecord),
    ...(delegate ? { delegate } : {}),
    ...(dhcp ? { dhcp } : {}),
    detail: kind.plan(config, NOTHING_LEASED).detail,
  };
}

/** Somebody else was faster: his attachment is not ours to overwrite. */
export function refuseRival(tx: StoreReader, key: AttachmentKey): void {
  const rival = tx.attachment(key);
  if (rival === undefined) return;
  const who = rival.worker === undefined ? 'another process' : `process ${rival.worker.pid}`;
  throw new NetmoorError(
    'try-again',
    `${formatKey(key)} has been attached by ${who} this very moment`,
    'if that one is not meant to stay, detach it and try again',
  );
}

/** Puts the record into the store, and returns it as it stands there: some of its ports may have to stand by. */
function rememberAttachment<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  host: Host,
  tx: StoreTransaction,
  config: C,
  wanted: AttachmentRecord<D>,
  dns: Dns,
): AttachmentRecord<D> {
  kind.refuse?.(host, tx, wanted);
  const record = kind.claim(tx, wanted);
  const { network, segment, createdAt, detail } = record;
  const known = tx.network(network);
  const more = kind.ofNetwork?.(config, dns, record) ?? {};
  if (known?.automatic !== true) {
    tx.putNetwork({
      version: RECORD_VERSION,
      name: network,
      plugin: kind.name,
      ...(segment === undefined ? {} : { segment }),
      subnets: [...new Set([...(known?.subnets ?? []), ...detail.subnets])],
      automatic: false,
      createdAt: known?.createdAt ?? createdAt,
      ...more,
    });
  } else if (more.dhcpServer !== undefined || known.dhcpServer !== undefined) {
    const { dhcpServer: _before, ...rest } = known;
    tx.putNetwork({ ...rest, ...more });
  }
  tx.putAttachment(record);
  return record;
}

/**
 * The intent, with its addresses when they are the store's, in one transaction, before anything else happens.
 */
export async function recordIntent<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  host: Host,
  request: Request<C>,
  lessors: Lessors,
  previous: AttachmentRecord | undefined,
): Promise<Intent<D>> {
  const base = baseRecord(kind, host, request, lessors);
  const { ipam } = request.config;
  const put = (tx: StoreTransaction, { addresses, routes, dns, unused = false }: Leased): Intent<D> => {
    refuseRival(tx, request.key);
    refuseInexpressible(addresses, request.cniVersion);
    const plan = ipam.kind === 'netmoor' ? kind.plan(request.config, { addresses, routes, dns }) : base;
    const ports = [...base.ports, ...(ipam.kind === 'netmoor' ? (plan.ports ?? []) : [])];
    const wanted = { ...base, ...plan, ports };
    const record = rememberAttachment(kind, host, tx, request.config, wanted, dns);
    return { record, dns, unused };
  };
  if (ipam.kind !== 'netmoor') {
    return host.store.write((tx) => {
      // Whatever it is given there is not the store's to remember.
      noneIsNew(tx, kind.scopeOf(request.segment));
      return put(tx, NOTHING_LEASED);
    });
  }
  return leaseFromStore(kind, host, request, ipam, previous, put);
}

/** Addresses from another IPAM plugin, put on record as soon as they are known. */
export function completeDelegated<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  host: Host,
  request: Request<C>,
  delegation: Delegation,
  intent: Intent<D>,
  undo: UndoStack,
): Intent<D> {
  const { delegate } = intent.record;
  if (delegate === undefined) return intent;
  const { ipam } = request.config;
  const bare = ipam.kind === 'delegated' && ipam.dhcp6 === 'stateless';
  const leased = leaseFromDelegate(delegate.type, intent.record, delegation, undo, bare);
  const { addresses, detail, ports: forwarded = [] } = kind.plan(request.config, leased);
  refuseInexpressible(addresses, request.cniVersion);
  const ports = [...request.config.portMappings.map(portRecord), ...forwarded];
  const wanted = { ...intent.record, addresses, ports, detail };
  const { dns } = leased;
  const remember = (): AttachmentRecord<D> =>
    host.store.write((tx) => rememberAttachment(kind, host, tx, request.config, wanted, dns));
  return { record: clearingRivals(kind, host, remember), dns };
}
