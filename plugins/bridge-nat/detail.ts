/**
 * What bridge-nat adds to an attachment's record: enough to remove, verify and re-create everything without the config it
 * came from. Its schema is schemas/bridge-nat-detail.schema.json.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { Address, Family, Prefix } from '../../lib/base/ip.ts';
import type { AttachmentRules, PortForward } from '../../lib/nftables/table.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord, PortRecord } from '../../ipam/record.ts';
import { validate } from '../../schemas/compiled/bridge-nat-detail.js';
import type { BridgeNatDetail } from '../../schemas/compiled/bridge-nat-detail.js';

export type { BridgeNatDetail };

/** The detail of a record that bridge-nat wrote; throws NetmoorError('store') for anything else. */
export function detailOf(record: AttachmentRecord): BridgeNatDetail {
  const detail: unknown = record.detail;
  if (record.plugin === 'bridge-nat' && validate(detail)) return detail as BridgeNatDetail;
  throw new NetmoorError(
    'store',
    `the record of ${formatKey(record)} is not one that this version of bridge-nat wrote`,
    'run "netmoor gc" with the version that wrote it, or move the store aside',
  );
}

function firstOf(addresses: readonly Prefix[], family: Family): Address | undefined {
  return addresses.find((prefix) => prefix.address.family === family)?.address;
}

/** A port without a host address is published in every family that the container has; "0.0.0.0" and "::" in theirs. */
function forwardsOf(port: PortRecord, addresses: readonly Prefix[]): PortForward[] {
  const hostIp = port.hostIp === undefined ? undefined : parseAddress(port.hostIp);
  const forwards: PortForward[] = [];
  for (const family of [4, 6] as const) {
    const container = firstOf(addresses, family);
    if (container === undefined || (hostIp !== undefined && hostIp.family !== family)) continue;
    const { protocol, hostPort, containerPort, count } = port;
    const specific = hostIp !== undefined && hostIp.value !== 0n ? { hostIp } : {};
    forwards.push({ protocol, hostPort, containerPort, count, container, ...specific });
  }
  return forwards;
}

/** The address part of "address/length" strings of a record. */
export function prefixesOf(record: AttachmentRecord): Prefix[] {
  return record.addresses.map(({ address }) => parsePrefix(address));
}

/** The nftables elements that stand for this attachment. */
export function rulesOf(record: AttachmentRecord): AttachmentRules {
  const detail = detailOf(record);
  const addresses = prefixesOf(record);
  const { network, containerId, ifname, hostIfname = '', mac = '' } = record;
  return {
    owner: { network, containerId, ifname },
    rules: {
      network,
      bridge: record.bridge ?? '',
      subnets: detail.subnets.map(parsePrefix),
      ingressPolicy: detail.ingressPolicy,
    },
    masquerade: detail.masquerade ? addresses.map((prefix) => prefix.address) : [],
    forwards: record.ports.flatMap((port) => forwardsOf(port, addresses)),
    ...(detail.ingressPolicy === 'isolated' ? { isolatedPort: hostIfname } : {}),
    ...(detail.macSpoofCheck ? { macSpoofCheck: { hostIfname, mac } } : {}),
  };
}
