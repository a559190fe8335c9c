/**
 * netmoor as an IPAM plugin (`"ipam": { "type": "netmoor" }`) for main plugins of others: the same store and keys as for the
 * networks that netmoor makes itself. It gives addresses and touches neither interfaces nor namespaces.
 */
import { existsSync } from 'node:fs';
import { NetmoorError } from '../lib/base/errors.ts';
import { formatPrefix, networkOf, parsePrefix, sameAddress } from '../lib/base/ip.ts';
import type { Prefix } from '../lib/base/ip.ts';
import { parseResolvConf } from '../lib/cni/dns.ts';
import { readIpamConfig } from '../lib/cni/ipam-config.ts';
import type { IpamConfig } from '../lib/cni/ipam-config.ts';
import type { Context, Plugin } from '../lib/cni/plugin.ts';
import { containerName, requestedAddresses } from '../lib/cni/requested.ts';
import type { CniResult } from '../lib/cni/result.ts';
import { listRoutes } from '../lib/netlink/route.ts';
import { NetlinkSocket } from '../lib/netlink/socket.ts';
import { subnetChoice } from '../ipam/automatic.ts';
import type { SubnetChoice } from '../ipam/automatic.ts';
import { exhaustedRanges, isAutomatic, leaseAddresses } from '../ipam/lease.ts';
import type { Lease, PoolSource } from '../ipam/lease.ts';
import { formatKey } from '../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../ipam/record.ts';
import type { Wanted } from '../ipam/requested.ts';
import { noteStore } from '../ipam/store/known.ts';
import { openStore } from '../ipam/store/open.ts';
import type { LeaseStore, StoreReader, StoreTransaction } from '../ipam/store/store.ts';

/** What records are filed under whose addresses another plugin uses. */
const PLUGIN = 'netmoor';

function readConfig({ config }: Context): IpamConfig {
  return readIpamConfig(config.ipam ?? {});
}

function keyOf({ config, request }: Context): AttachmentKey {
  return { network: config.name, containerId: request.containerId, ifname: request.ifname };
}

/** DEL goes on with a `dataDir` that is of no use as with none. */
function storeOf({ config, world }: Context): LeaseStore {
  const named = config.ipam?.['dataDir'];
  const dir = typeof named === 'string' && named !== '' ? named : world.storeDirectory;
  if (dir !== world.storeDirectory) noteStore(dir);
  return openStore({ dir, bootId: world.bootId, now: world.now });
}

/** Addresses are unique in the network, whatever interfaces the main plugin makes of it. */
function sourceOf({ config }: Context, ipam: IpamConfig, subnets: readonly string[] | undefined): PoolSource {
  return {
    scope: `network ${config.name}`,
    config: ipam,
    extraRanges: config.runtimeConfig.ipRanges,
    subnets,
  };
}

function hostRoutes(): Prefix[] {
  const socket = NetlinkSocket.open('route');
  try {
    return ([4, 6] as const)
      .flatMap((family) => listRoutes(socket, family))
      .map((route) => route.destination);
  } finally {
    socket.close();
  }
}

/** How the network comes by its subnets, for a config that names no range; undefined for one that does. */
async function automaticSubnets(
  { config, world }: Context,
  store: LeaseStore,
  ipam: IpamConfig,
): Promise<SubnetChoice | undefined> {
  if (!isAutomatic(ipam, config.runtimeConfig.ipRanges)) return undefined;
  return subnetChoice(store, {
    network: { name: config.name, plugin: PLUGIN, createdAt: world.now() },
    machineId: world.machineId,
    ipv6: existsSync('/proc/sys/net/ipv6'),
    routed: hostRoutes,
  });
}

/** A chain whose plugins all want addresses under one interface name would have one of them overwrite the other's record. */
function refuseStranger(record: AttachmentRecord | undefined): void {
  if (record === undefined || record.plugin === PLUGIN) return;
  throw new NetmoorError(
    'ifname-taken',
    `${formatKey(record)} is an attachment of ${record.plugin}, which has leased its addresses itself`,
    'give the network of this plugin a configuration list of its own',
  );
}

/** A network of ranges from the config is remembered while somebody uses it. */
function rememberNetwork(tx: StoreTransaction, { network, addresses, createdAt }: AttachmentRecord): void {
  const known = tx.network(network);
  if (known?.automatic) return;
  const used = addresses.map(({ address }) => formatPrefix(networkOf(parsePrefix(address))));
  const subnets = [...new Set([...(known?.subnets ?? []), ...used])];
  tx.putNetwork({ plugin: PLUGIN, createdAt, ...known, name: network, subnets, automatic: false });
}

function forget(tx: StoreTransaction, key: AttachmentKey): void {
  tx.removeAttachment(key);
  const { network } = key;
  if (!tx.hasOther(key, { network }) && tx.network(network)?.automatic === false) tx.removeNetwork(network);
}

/** Repeated for the same key it gives the same addresses, unless others are asked for. */
function leaseTo(tx: StoreTransaction, context: Context, source: PoolSource, wanted: Wanted): Lease {
  const { config, request, world } = context;
  const key = keyOf(context);
  const previous = tx.attachment(key);
  refuseStranger(previous);
  tx.removeAttachment(key);
  const lease = leaseAddresses(tx, source, wanted, previous?.addresses);
  const name = containerName(config, request);
  const record: AttachmentRecord = {
    ...key,
    plugin: PLUGIN,
    state: 'attached',
    bootId: world.bootId,
    createdAt: previous?.createdAt ?? world.now(),
    ...(name === undefined ? {} : { name }),
    addresses: lease.addresses,
    ports: [],
    detail: {},
  };
  tx.putAttachment(record);
  rememberNetwork(tx, record);
  return lease;
}

async function add(context: Context): Promise<CniResult> {
  const { config, request, world } = context;
  const ipam = readConfig(context);
  const name = containerName(config, request);
  const wanted = {
    requested: requestedAddresses(config, request),
    identities: [request.containerId, ...(name === undefined ? [] : [name])],
  };
  const dns = ipam.resolvConf ? parseResolvConf(world.readText(ipam.resolvConf)) : {};
  const store = storeOf(context);
  const chooseSubnets = await automaticSubnets(context, store, ipam);
  const { addresses, routes = [] } = store.write((tx) =>
    leaseTo(tx, context, sourceOf(context, ipam, chooseSubnets?.(tx)), wanted),
  );
  const ips = addresses.map(({ address, gateway }) => ({
    address,
    ...(gateway === undefined ? {} : { gateway }),
  }));
  return { interfaces: [], ips, routes, dns };
}

/** What another plugin has on record under this key is not ours to give back. */
function del(context: Context): void {
  const key = keyOf(context);
  const store = storeOf(context);
  const mine = (tx: StoreReader): boolean => tx.attachment(key)?.plugin === PLUGIN;
  if (!store.read(mine)) return;
  store.write((tx) => {
    if (mine(tx)) forget(tx, key);
  });
}

/** What the store says, and what the result of ADD has promised, if the main plugin passes it. */
function check(context: Context): void {
  readConfig(context);
  const key = keyOf(context);
  const complaints = storeOf(context).read((tx) => {
    const record = tx.attachment(key);
    if (record?.plugin !== PLUGIN) return [`no lease is on record for ${formatKey(key)}`];
    return record.addresses.flatMap((lease) => complaintsAbout(tx, key, lease, context));
  });
  if (complaints.length === 0) return;
  throw new NetmoorError(
    'check-failed',
    complaints.join('; '),
    'detach and attach the container again (DEL, ADD)',
  );
}

function complaintsAbout(
  tx: StoreReader,
  key: AttachmentKey,
  lease: Lease['addresses'][number],
  { config }: Context,
): string[] {
  const { address } = parsePrefix(lease.address);
  const owner = tx.addressOwner(lease.scope ?? '', address);
  const promised = config.prevResult?.ips;
  const held = owner !== undefined && formatKey(owner) === formatKey(key);
  const known =
    promised === undefined || promised.some((ip) => sameAddress(parsePrefix(ip.address).address, address));
  return [
    ...(held
      ? []
      : [`the lease of ${lease.address} belongs to ${owner === undefined ? 'nobody' : formatKey(owner)}`]),
    ...(known
      ? []
      : [`${lease.address} is leased to ${formatKey(key)}, but is not in the result of its ADD`]),
  ];
}

/** Gives back all of this network's leases that are in no valid attachment. */
function gc(context: Context): void {
  const { config } = context;
  const filter = { network: config.name, plugin: PLUGIN };
  const valid = new Set(config.validAttachments.map(({ containerId, ifname }) => `${containerId}/${ifname}`));
  const stale = (tx: StoreReader): AttachmentRecord[] =>
    tx.attachments(filter).filter((record) => !valid.has(`${record.containerId}/${record.ifname}`));
  const store = storeOf(context);
  if (store.read(stale).length === 0) return;
  store.write((tx) => {
    for (const record of stale(tx)) forget(tx, record);
  });
}

function status(context: Context): void {
  const ipam = readConfig(context);
  const network = context.config.name;
  const exhausted = askStore(context, (tx) => {
    const automatic = isAutomatic(ipam, context.config.runtimeConfig.ipRanges);
    const subnets = automatic ? tx.network(network)?.subnets : undefined;
    if (automatic && subnets === undefined) return [];
    return exhaustedRanges(tx, sourceOf(context, ipam, subnets));
  });
  if (exhausted.length === 0) return;
  const advice = 'detach containers, run "netmoor gc", or give the network larger ranges';
  throw new NetmoorError(
    'not-available',
    `network ${network} has no free address in ${exhausted.join(' and ')}`,
    advice,
  );
}

/** Whether it could be written, too: an ADD would have to. */
function askStore<T>(context: Context, question: (tx: StoreTransaction) => T): T {
  try {
    return storeOf(context).write(question);
  } catch (error) {
    if (!(error instanceof NetmoorError) || error.kind !== 'store') throw error;
    throw new NetmoorError('not-available', error.message, error.details, { cause: error });
  }
}

export const netmoorIpam: Plugin = {
  name: 'netmoor',
  about: 'CNI IPAM plugin of netmoor: addresses from its lease store, for main plugins of any origin',
  role: 'ipam',
  add,
  check,
  del,
  gc,
  status,
};
