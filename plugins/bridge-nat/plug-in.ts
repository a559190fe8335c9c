/** Bridge and veth: making the one ready, and plugging the other in, labelled with whose it is. */
import { parsePrefix } from '../../lib/base/ip.ts';
import { formatKey } from '../../ipam/record.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { altNaming } from '../../lib/netlink/alt-name.ts';
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import type { Host } from '../../lib/mooring/host.ts';
import type { Request } from '../../lib/mooring/kind.ts';
import { formatLabel, parseLabel } from '../../lib/mooring/label.ts';
import type { Sandbox } from '../../lib/mooring/sandbox.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { settingsOf } from '../../lib/netlink/devconf.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { labelling, portChange } from '../../lib/netlink/link-change.ts';
import { createVeth } from '../../lib/netlink/link-creation.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import type { NetlinkRequest } from '../../lib/netlink/socket.ts';
import { writeSysctlsIn } from '../../lib/system/sysctl.ts';
import { ensureBridge } from './bridge/bridge.ts';
import type { BridgeNatConfig } from './config.ts';
import type { BridgeNatRecord } from './detail.ts';
import { isIpv6Used } from './bridge/ipv6-use.ts';
import { joinVlans } from './bridge/vlan-ports.ts';
import { ensureMembers, findMembers, standsForMember } from './bridge/member-ports.ts';
import { isOnLan } from './bridge/members.ts';
import { containerMacFor, hostIfnameFor, hostMacFor, holdsOf } from './names.ts';

/** What all steps of one attachment work with. */
export interface Work {
  readonly host: Host;
  readonly request: Request<BridgeNatConfig>;
  readonly sandbox: Sandbox;
}

/**
 * Makes the bridge, or completes it as far as the record knows it; `locked` runs its argument inside a write
 * transaction of the host's store.
 */
export function standBridge(
  host: Host,
  record: BridgeNatRecord,
  name: string,
  { forceAddress, promiscMode }: Pick<BridgeNatConfig, 'forceAddress' | 'promiscMode'>,
  locked: (work: (tx: StoreReader) => void) => void,
): Link {
  const has6 = (prefix: Prefix): boolean => prefix.address.family === 6;
  const { members = [] } = record.detail;
  // Whatever cannot be a port is told before anything is done.
  if (members.length > 0) findMembers(host, name, members);
  return ensureBridge(host.route, {
    name,
    mtu: record.mtu,
    gateways: record.detail.gateways.map(parsePrefix),
    forceAddress,
    promiscuous: promiscMode,
    vlans: record.detail.vlans,
    onLan: isOnLan(members),
    plugMembers: (bridge) => ensureMembers(host, bridge, members),
    now: host.world.monotonic,
    ipv6: {
      wanted: prefixesOf(record).some(has6),
      unlessUsed: (work) =>
        locked((tx) => {
          if (!isIpv6Used(host, tx, name) && !standsForMember(host.route, name)) work();
        }),
    },
  });
}

export function readyBridge({ host, request }: Work, record: BridgeNatRecord): Link {
  const { config, segment } = request;
  return standBridge(host, record, segment, config, (work) => host.store.write(work));
}

function refuseLiving({ host }: Work, name: string, address: string, cause: unknown): never {
  const link = findLink(host.route, name);
  const label = parseLabel(link?.alias);
  const holder = label === undefined ? `who is behind ${link?.name ?? 'a port'}` : formatKey(label.key);
  throw new NetmoorError(
    'address-taken',
    `${address} is in use by ${holder}, of whom the store knows nothing`,
    'run "netmoor gc --rebuild" to put it on record again, and try again',
    { cause },
  );
}

function portFlags(
  { detail: { hairpin, isolated } }: BridgeNatRecord,
  { index, name }: Link,
): NetlinkRequest[] {
  if (!hairpin && !isolated) return [];
  return [portChange(index, { hairpin, isolated }, `set the port flags of ${name}`)];
}

/**
 * Its addresses as further names, and its flags, in one datagram. The store has given the addresses to this one; should
 * it have forgotten somebody who has one, the kernel has not.
 */
function completePort(work: Work, record: BridgeNatRecord, link: Link): void {
  const held = holdsOf(record);
  const holds = held.map(({ address, name }) => altNaming(link.index, name, `hold ${address}`));
  const { failures } = work.host.route.exchange([...holds, ...portFlags(record, link)]);
  const [failure] = failures;
  if (failure === undefined) return;
  const refused = held[failure.index];
  if (refused === undefined || !isErrno(failure.error, 'EEXIST')) throw failure.error;
  refuseLiving(work, refused.name, refused.address, failure.error);
}

/** A port of a bridge needs no address of its own, and shall not believe router advertisements either. */
function withoutIpv6({ world }: Host, link: Link): void {
  if (settingsOf(link).ipv6('disable_ipv6') !== 0) return;
  world.withProcfs((proc) => writeSysctlsIn(['net', 'ipv6', 'conf', link.name], [['disable_ipv6', 1]], proc));
}

export function plugIn(work: Work, record: BridgeNatRecord, bridge: Link, undo: UndoStack): Link {
  const { host, request } = work;
  const { key, netns } = request;
  const name = hostIfnameFor(key);
  const stale = findLink(host.route, name);
  if (stale?.kind === 'veth') removeLink(host.route, stale.index);
  const alias = formatLabel(key, record.addresses);
  const link = createVeth(host.route, {
    name,
    mac: hostMacFor(key),
    ...(record.mtu === undefined ? {} : { mtu: record.mtu }),
    master: bridge.index,
    ...(alias === undefined ? {} : { alias }),
    peer: { name: key.ifname, mac: record.mac ?? containerMacFor(key), netnsFd: netns.fd },
  });
  undo.push(`delete interface ${name}`, () => void removeLink(host.route, link.index));
  withoutIpv6(host, link);
  completePort(work, record, link);
  const { vlans } = record.detail;
  if (vlans) joinVlans(host.route, link, vlans);
  return link;
}

/** By now the addresses are known. */
export function relabel({ host, request }: Work, record: BridgeNatRecord, { index }: Link): void {
  const alias = formatLabel(request.key, record.addresses);
  if (alias !== undefined) host.route.request(labelling({ index }, alias));
}
