/** Attachment records for tests of the store. */
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord, PortRecord } from '../../ipam/record.ts';

export const BOOT = '11111111-2222-3333-4444-555555555555';

export function attachment(containerId: string, fields: Partial<AttachmentRecord> = {}): AttachmentRecord {
  return {
    version: RECORD_VERSION,
    network: 'home',
    containerId,
    ifname: 'eth0',
    plugin: 'bridge-nat',
    state: 'attached',
    incarnation: 'first',
    bootId: BOOT,
    createdAt: 1_700_000_000_000,
    addresses: [],
    ports: [],
    detail: {},
    ...fields,
  };
}

export function port(text: string): PortRecord {
  const match = /^(tcp|udp|sctp) (?:(\S+) )?(\d+)(?:-(\d+))?$/.exec(text);
  const [, protocol, hostIp, first, last] = match ?? [];
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') throw new Error(`not a port: ${text}`);
  const hostPort = Number(first);
  const count = last === undefined ? 1 : Number(last) - hostPort + 1;
  return { protocol, ...(hostIp === undefined ? {} : { hostIp }), hostPort, containerPort: hostPort, count };
}

export function keyOf({ network, containerId, ifname }: AttachmentKey): AttachmentKey {
  return { network, containerId, ifname };
}
