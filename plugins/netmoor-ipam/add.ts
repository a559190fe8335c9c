/** ADD of netmoor as an IPAM plugin: addresses and their record, in one transaction. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatPrefix, networkOf, parsePrefix } from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import { parseResolvConf } from '../../lib/cni/dns.ts';
import { refuseInexpressible } from '../../lib/cni/encode-result.ts';
import type { IpamConfig } from '../../lib/cni/ipam-config.ts';
import type { Context } from '../../lib/cni/plugin.ts';
import { containerName, refuseUnknownArgs, requestedAddresses } from '../../lib/cni/requested.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { listDestinations } from '../../lib/netlink/route.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { hasIpv6 } from '../../lib/system/sysctl.ts';
import { subnetChoice } from '../../ipam/automatic.ts';
import type { SubnetChoice } from '../../ipam/automatic.ts';
import { isAutomatic, leaseAddresses } from '../../ipam/lease.ts';
import type { Lease, PoolSource } from '../../ipam/lease.ts';
import { RECORD_VERSION, formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { Wanted } from '../../ipam/requested.ts';
import type { LeaseStore, StoreTransaction } from '../../ipam/store/store.ts';
import { keyOf } from '../../lib/mooring/request.ts';
import { here } from '../../lib/mooring/vantage.ts';
import { PLUGIN, readConfig, sourceOf, storeOf } from './context.ts';

function hostRoutes(): Prefix[] {
  const socket = NetlinkSocket.open('route');
  try {
    return listDestinations(socket);
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
    network: { version: RECORD_VERSION, name: config.name, plugin: PLUGIN, createdAt: world.now() },
    machineId: world.machineId,
    ipv6: hasIpv6(),
    routed: hostRoutes,
  });
}

/**
 * A chain whose plugins all want addresses under one interface name would have one of them overwrite the other's
 * record.
 */
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
  tx.putNetwork({
    plugin: PLUGIN,
    createdAt,
    ...known,
    version: RECORD_VERSION,
    name: network,
    subnets,
    automatic: false,
  });
}

/** Repeated for the same key it gives the same addresses, unless others are asked for. */
function leaseTo(tx: StoreTransaction, context: Context, source: PoolSource, wanted: Wanted): Lease {
  const { config, request, world } = context;
  const key = keyOf(context);
  const previous = tx.attachment(key);
  refuseStranger(previous);
  tx.removeAttachment(key);
  const lease = leaseAddresses(tx, source, wanted, previous?.addresses);
  refuseInexpressible(lease.addresses, config.cniVersion);
  const name = containerName(config, request);
  const createdAt = previous?.createdAt ?? world.now();
  const record: AttachmentRecord = {
    version: RECORD_VERSION,
    ...key,
    plugin: PLUGIN,
    state: 'attached',
    incarnation: `ipam.${createdAt}`,
    bootId: world.bootId,
    createdAt,
    host: here(world),
    ...(name === undefined ? {} : { name }),
    addresses: lease.addresses,
    ports: [],
    detail: {},
  };
  tx.putAttachment(record);
  rememberNetwork(tx, record);
  return lease;
}

export async function add(context: Context): Promise<CniResult> {
  const { config, request, world } = context;
  refuseUnknownArgs(request);
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
