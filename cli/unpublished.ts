/** Ports that a runtime asked for and nobody publishes, because the network's configuration does not take them. */
import { formatAddress } from '../lib/base/ip.ts';
import { cachedAttachment } from '../lib/cni/lists/cache.ts';
import { droppedPorts } from '../lib/cni/lists/dropped-ports.ts';
import { describePublished } from '../lib/cni/port-mappings.ts';
import type { PortMapping } from '../lib/cni/port-mappings.ts';
import type { World } from '../lib/cni/world.ts';
import type { AttachmentKey, AttachmentRecord } from '../ipam/record.ts';

/** Another network of the container may publish it: podman hands all of them to each. */
function isPublished(mapping: PortMapping, own: readonly AttachmentRecord[]): boolean {
  const host = mapping.hostIp === undefined ? undefined : formatAddress(mapping.hostIp);
  return own.some(({ ports }) =>
    ports.some(
      ({ protocol, hostIp, hostPort, count }) =>
        protocol === mapping.protocol &&
        (hostIp === undefined || hostIp === host) &&
        hostPort <= mapping.hostPort &&
        mapping.hostPort + mapping.count <= hostPort + count,
    ),
  );
}

/** In words; undefined when all are published. `records`: all that is known to be attached. */
export function unpublishedPorts(
  key: AttachmentKey,
  records: readonly AttachmentRecord[],
  world: World,
): string | undefined {
  const cached = cachedAttachment(key, world);
  const dropped = cached === undefined ? [] : droppedPorts(cached);
  if (dropped.length === 0) return undefined;
  const own = records.filter(({ containerId }) => containerId === key.containerId);
  const lost = dropped.filter((mapping) => !isPublished(mapping, own));
  if (lost.length === 0) return undefined;
  const ports = lost.map(describePublished).join(', ');
  return (
    `nobody publishes ${ports}: no plugin of network ${key.network} takes the capability portMappings ` +
    '(bridge-nat and portmap do, with "capabilities": { "portMappings": true } in the configuration)'
  );
}
