/** Taking the containers of a network over, one after the other, going on after failures. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix, prefixContains } from '../../lib/base/ip.ts';
import { readConfig } from '../../lib/cni/config.ts';
import { cachedAttachment, cachedAttachments } from '../../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import { deriveConfig } from '../../lib/cni/lists/derive.ts';
import type { World } from '../../lib/cni/world.ts';
import { hostOf, storeFor } from '../../lib/mooring/host.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import { openStoreIn } from '../../lib/mooring/stores.ts';
import { hostLocalLeases } from '../../lib/mooring/host-local.ts';
import type { HostLocalLease } from '../../lib/mooring/host-local.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { parsePool } from '../../ipam/pool.ts';
import type { AddressRecord, AttachmentKey } from '../../ipam/record.ts';
import { adopt, leftAsItIs } from '../../plugins/bridge-nat/adopt.ts';
import type { Adopted } from '../../plugins/bridge-nat/adopt.ts';
import { foresee } from '../../plugins/bridge-nat/adopt-foreseen.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import type { BridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import type { BridgeNatRecord } from '../../plugins/bridge-nat/detail.ts';
import { bridgeNat } from '../../plugins/bridge-nat/kind.ts';
import { quietly } from '../surroundings.ts';
import { findLiving } from './living.ts';
import type { Alive } from './living.ts';
import type { Network } from './networks.ts';

/** What host-local holds for one interface of one container. */
export interface Leaseholder extends AttachmentKey {
  readonly addresses: readonly string[];
  readonly cached: CachedAttachment | undefined;
}

export interface Work {
  readonly world: World;
  readonly sockets: Sockets;
  /** --data-dir: the store to put it into, unless the network names one. */
  readonly dataDir: string | undefined;
  /** A dry run: who would be on record by now. Undefined: it is done. */
  readonly earlier: BridgeNatRecord[] | undefined;
  readonly note: (line: string) => void;
}

export type Outcome =
  | {
      readonly holder: Leaseholder;
      readonly alive: Alive;
      readonly adopted: Adopted;
      /** What the network asks for and nobody makes for it: it stays as the former plugins have left it. */
      readonly asBefore: readonly string[];
    }
  | { readonly holder: Leaseholder; readonly dead: string }
  | { readonly holder: Leaseholder; readonly problem: string };

/** Files of old do not tell the interface: what the runtime has on file does. */
function ifnameOf({ containerId, ifname }: HostLocalLease, network: string, world: World): string {
  if (ifname !== undefined) return ifname;
  const cached = cachedAttachments(containerId, world).find((each) => each.network === network);
  return cached?.ifname ?? 'eth0';
}

export function leaseholders({ list, directory }: Network, world: World): Leaseholder[] {
  const leases = hostLocalLeases(directory, world).map((lease) => ({
    ...lease,
    ifname: ifnameOf(lease, list.name, world),
  }));
  const groups = Map.groupBy(leases, ({ containerId, ifname }) => `${containerId}/${ifname}`);
  return [...groups.values()].flatMap((group): Leaseholder[] => {
    const [first] = group;
    if (first === undefined) return [];
    const key = { network: list.name, containerId: first.containerId, ifname: first.ifname };
    const addresses = group.map(({ address }) => address);
    return [{ ...key, addresses, cached: cachedAttachment(key, world) }];
  });
}

/** The network's configuration as the runtime would give it for that container. */
function configOf({ list, plugin }: Network, { cached, ...key }: Leaseholder): BridgeNatConfig {
  const raw = deriveConfig(list, plugin, cached?.capabilities ?? {}, undefined);
  return readBridgeNatConfig(readConfig(raw, list.cniVersion, 'ADD'), {
    command: 'ADD',
    containerId: key.containerId,
    netns: '',
    ifname: key.ifname,
    args: cached?.args ?? new Map(),
    path: [],
    netnsOverride: false,
    environment: {},
    stdin: Buffer.alloc(0),
  });
}

/** With the prefix and the gateway of its range, or of what the container was told when it was attached. */
function addressRecords({ ipam }: BridgeNatConfig, scope: string, holder: Leaseholder): AddressRecord[] {
  const pool =
    ipam.kind === 'netmoor' && !ipam.automatic ? parsePool(ipam.pool, ipam.extraRanges) : undefined;
  const told = holder.cached?.result?.ips ?? [];
  return holder.addresses.map((text) => {
    const address = parseAddress(text);
    const range = pool?.sets.flat().find(({ subnet }) => prefixContains(subnet, address));
    if (range !== undefined) {
      const prefix = formatPrefix({ address, length: range.subnet.length });
      return { address: prefix, gateway: formatAddress(range.gateway), scope };
    }
    const was = told.find((ip) => formatAddress(parsePrefix(ip.address).address) === text);
    const length = address.family === 4 ? 32 : 128;
    return {
      address: was?.address ?? formatPrefix({ address, length }),
      ...(was?.gateway === undefined ? {} : { gateway: was.gateway }),
      scope,
    };
  });
}

function importOne(network: Network, holder: Leaseholder, work: Work): Outcome {
  const { world, sockets, dataDir, earlier, note } = work;
  const config = configOf(network, holder);
  const segment = bridgeNat.segmentOf(config, holder.network);
  const bridge = findLink(sockets.route, segment);
  if (bridge?.kind !== 'bridge') return { holder, dead: `there is no bridge ${segment}` };
  const found = findLiving({ route: sockets.route, bridge, world }, holder);
  if ('dead' in found) return { holder, dead: found.dead };
  const { network: name, containerId, ifname } = holder;
  const living = {
    key: { network: name, containerId, ifname },
    addresses: addressRecords(config, bridgeNat.scopeOf(segment), holder),
    ...found,
    directory: network.directory,
  };
  const own = (config.ipam.kind === 'netmoor' ? config.ipam.pool.dataDir : undefined) || dataDir;
  const store = earlier ? openStoreIn(own ?? world.storeDirectory, world) : storeFor(own, world);
  const host = hostOf(sockets, store, world, quietly(note));
  const adopted = earlier ? foresee(host, config, living, earlier) : adopt(host, config, living);
  earlier?.push(adopted.record);
  return { holder, alive: found, adopted, asBefore: leftAsItIs(config) };
}

/** `holder` as far as it lives is on record then, or would be. Never throws for it alone. */
export function importHolder(network: Network, holder: Leaseholder, work: Work): Outcome {
  try {
    return importOne(network, holder, work);
  } catch (error) {
    const details = error instanceof NetmoorError && error.details !== '' ? ` (${error.details})` : '';
    return { holder, problem: `${errorText(error)}${details}` };
  }
}
