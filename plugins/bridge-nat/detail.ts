/**
 * What bridge-nat adds to an attachment's record: enough to remove, verify and re-create everything without the config
 * it came from. Its schema is schemas/bridge-nat-detail.schema.json.
 */
import { unreadableDetail } from '../../lib/mooring/records.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { eui64, linkLocal } from '../../lib/base/eui64.ts';
import { parseAddress, parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { Address, Family, Prefix } from '../../lib/base/ip.ts';
import type { HostAccess } from '../../lib/nftables/rules.ts';
import type { AttachmentRules, PortForward } from '../../lib/nftables/table.ts';
import type { AttachmentRecord, Detail, PortRecord } from '../../ipam/record.ts';
import { conditionsFor, leavingOf, redirectedSourceOf } from './nat/record.ts';
import type { NatDetail } from './nat/record.ts';
import { validate } from '../../schemas/compiled/bridge-nat-detail.js';
import type { BridgeNatDetail } from '../../schemas/compiled/bridge-nat-detail.js';
import { egressRules } from './egress/detail.ts';

export type { BridgeNatDetail };

/** The plugin's name, which its records bear. */
export const KIND = 'bridge-nat';

export type BridgeNatRecord = AttachmentRecord<BridgeNatDetail>;

/** The version that is written. 1 had no `version`. */
export const DETAIL_VERSION = 2;

/**
 * Reads what this version or an earlier one kept; unknown members stay. Throws NetmoorError('store') for anything else.
 */
export function readDetail(stored: Detail): BridgeNatDetail {
  const detail: unknown = { version: 1, ...stored };
  if (validate(detail) && detail.version <= DETAIL_VERSION) return { ...detail, version: DETAIL_VERSION };
  throw unreadableDetail(KIND, validate.errors);
}

function firstOf(addresses: readonly Prefix[], family: Family): Address | undefined {
  return addresses.find((prefix) => prefix.address.family === family)?.address;
}

/** Of a port that the configuration forwards, the address that it names, as long as that is the container's. */
function targetOf({ to }: PortRecord, addresses: readonly Prefix[], family: Family): Address | undefined {
  if (to === undefined) return firstOf(addresses, family);
  const named = parseAddress(to);
  const held = named.family === family && addresses.some(({ address }) => sameAddress(address, named));
  return held ? named : undefined;
}

/** A port without a host address is published in every family that the container has; "0.0.0.0" and "::" in theirs. */
function forwardsOf(
  port: PortRecord,
  addresses: readonly Prefix[],
  nat: NatDetail | undefined,
): PortForward[] {
  const hostIp = port.hostIp === undefined ? undefined : parseAddress(port.hostIp);
  const forwards: PortForward[] = [];
  for (const family of [4, 6] as const) {
    const container = targetOf(port, addresses, family);
    if (container === undefined || (hostIp !== undefined && hostIp.family !== family)) continue;
    const { protocol, hostPort, containerPort, count } = port;
    const specific = hostIp !== undefined && hostIp.value !== 0n ? { hostIp } : {};
    const conditions = port.to === undefined ? conditionsFor(nat, family, specific.hostIp) : {};
    forwards.push({ protocol, hostPort, containerPort, count, container, ...specific, ...conditions });
  }
  return forwards;
}

/** What containers reach of the host, as a record has it: nothing of it where they reach all. */
export function hostAccessDetail(access: HostAccess | undefined): Pick<BridgeNatDetail, 'hostAccess'> {
  return access ? { hostAccess: { protocols: [...access.protocols], services: [...access.services] } } : {};
}

/** The nftables elements that stand for this attachment. */
export function rulesOf(record: BridgeNatRecord): AttachmentRules {
  const { detail } = record;
  const addresses = prefixesOf(record);
  const { network, containerId, ifname, hostIfname = '', mac = '' } = record;
  return {
    owner: { network, containerId, ifname },
    rules: {
      network,
      bridge: record.segment ?? '',
      subnets: detail.subnets.map(parsePrefix),
      ingressPolicy: detail.ingressPolicy,
      ...redirectedSourceOf(detail.nat),
      ...(detail.apart ? { apart: true, joined: detail.joined ?? [] } : {}),
      ...(detail.hostAccess ? { hostAccess: detail.hostAccess } : {}),
      ...egressRules(detail),
    },
    ...leavingOf(detail, addresses),
    forwards: record.ports.flatMap((port) => forwardsOf(port, addresses, detail.nat)),
    ...(detail.ingressPolicy === 'isolated' ? { isolatedPort: hostIfname } : {}),
    ...(detail.macSpoofCheck ? { macSpoofCheck: { hostIfname, mac } } : {}),
    ...(detail.addressSpoofCheck
      ? { addressSpoofCheck: [...addresses.map((prefix) => prefix.address), linkLocal(eui64(mac))] }
      : {}),
    ...(detail.noServers && hostIfname !== '' ? { clientPort: hostIfname } : {}),
  };
}

/** Ports that stand by count as well: they are taken over without anybody looking at the bridge again. */
export function publishes4(record: BridgeNatRecord): boolean {
  const { standby = [] } = record.detail;
  const some = record.ports.length + standby.length > 0;
  return some && prefixesOf(record).some((prefix) => prefix.address.family === 4);
}
