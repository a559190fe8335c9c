/** Everything the embedded store holds, row by row, for check.ts to compare. */
import type { AttachmentKey } from '../../record.ts';
import { keyFrom } from './addresses.ts';
import type { Connection } from './connection.ts';
import type { Row } from './row.ts';
import { attachmentRow, document } from './document.ts';
import { bytes, count, text } from './row.ts';
import { addressOf } from './key.ts';
import type { PortClaim, StoreContents } from '../store.ts';

function owned(row: Row): { owner?: AttachmentKey } {
  return row['network'] === null ? {} : { owner: keyFrom(row) };
}

function portClaim(row: Row): PortClaim {
  const protocol = text(row, 'protocol');
  const family = count(row, 'family');
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw new TypeError(`protocol ${protocol}`);
  if (family !== 0 && family !== 4 && family !== 6) throw new TypeError(`family ${family}`);
  const host = bytes(row, 'host');
  return {
    protocol,
    family,
    ...(host.length === 0 ? {} : { host: addressOf(host) }),
    first: count(row, 'first'),
    count: count(row, 'count'),
  };
}

export function readContents(db: Connection): StoreContents {
  const attachments = db.all('SELECT * FROM attachment ORDER BY id');
  const networks = db.all('SELECT name, record FROM network ORDER BY name');
  const dhcpLeases = db.all('SELECT * FROM dhcp_lease ORDER BY network, container, ifname');
  const addresses = db.all(
    `SELECT scope, address, network, container, ifname
     FROM address LEFT JOIN attachment ON attachment.id = address.attachment ORDER BY scope, address`,
  );
  const ports = db.all(
    `SELECT protocol, first, family, host, count, network, container, ifname
     FROM port LEFT JOIN attachment ON attachment.id = port.attachment ORDER BY protocol, first`,
  );
  return {
    attachments: attachments.map((row) => ({ row: attachmentRow(row), record: document(row) })),
    networks: networks.map((row) => ({ name: text(row, 'name'), record: document(row) })),
    dhcpLeases: dhcpLeases.map((row) => ({ key: keyFrom(row), record: document(row) })),
    addresses: addresses.map((row) => ({
      scope: text(row, 'scope'),
      address: addressOf(bytes(row, 'address')),
      ...owned(row),
    })),
    ports: ports.map((row) => ({ claim: portClaim(row), ...owned(row) })),
  };
}
