/**
 * netmoor as an IPAM plugin (`"ipam": { "type": "netmoor" }`) for main plugins of others: the same store and keys as
 * for the networks that netmoor makes itself. It gives addresses and touches neither interfaces nor namespaces.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import { exhaustedRanges, isAutomatic } from '../../ipam/lease.ts';
import type { Lease } from '../../ipam/lease.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { add } from './add.ts';
import { keyOf } from '../../lib/mooring/request.ts';
import { PLUGIN, readConfig, scopeOf, sourceOf, storeOf } from './context.ts';

function forget(tx: StoreTransaction, key: AttachmentKey): void {
  tx.removeAttachment(key);
  const network = tx.network(key.network);
  const stays = network?.plugin !== PLUGIN || network.automatic;
  if (stays || tx.hasOther(key, { network: key.network })) return;
  tx.removeNetwork(key.network);
  tx.removeScope(scopeOf(key.network));
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
