/** Everything the embedded store holds, row by row, for check.ts to compare. */
import type { AttachmentKey } from '../record.ts';
import { keyFrom } from './addresses.ts';
import type { Connection } from './connection.ts';
import type { Row } from './row.ts';
import { bytes, count, text } from './row.ts';
import { addressOf } from './key.ts';
import type { PortClaim, StoreContents } from './store.ts';

/** Text that is no JSON stays text: no schema accepts that. */
function parsed(row: Row): unknown {
  const json = text(row, 'record');
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

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
  const attachments = db.all('SELECT network, container, ifname, record FROM attachment ORDER BY id');
  const networks = db.all('SELECT name, record FROM network ORDER BY name');
  const addresses = db.all(
    `SELECT scope, address, network, container, ifname
     FROM address LEFT JOIN attachment ON attachment.id = address.attachment ORDER BY scope, address`,
  );
  const ports = db.all(
    `SELECT protocol, first, family, host, count, network, container, ifname
     FROM port LEFT JOIN attachment ON attachment.id = port.attachment ORDER BY protocol, first`,
  );
  const released = db.all('SELECT scope, address FROM released ORDER BY scope, turn');
  const runs = db.all('SELECT scope, first, last FROM run ORDER BY scope, first');
  return {
    attachments: attachments.map((row) => ({ key: keyFrom(row), record: parsed(row) })),
    networks: networks.map((row) => ({ name: text(row, 'name'), record: parsed(row) })),
    addresses: addresses.map((row) => ({
      scope: text(row, 'scope'),
      address: addressOf(bytes(row, 'address')),
      ...owned(row),
    })),
    ports: ports.map((row) => ({ claim: portClaim(row), ...owned(row) })),
    released: released.map((row) => ({
      scope: text(row, 'scope'),
      address: addressOf(bytes(row, 'address')),
    })),
    runs: runs.map((row) => ({
      scope: text(row, 'scope'),
      span: { first: addressOf(bytes(row, 'first')), last: addressOf(bytes(row, 'last')) },
    })),
  };
}
