/** Claims on the host's ports: a wildcard host address collides with every address of its family, and they with it. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import type { AttachmentKey } from '../../record.ts';
import { formatKey } from '../../record.ts';
import { formatClaim } from '../claim.ts';
import { keyFrom } from './addresses.ts';
import type { Connection } from './connection.ts';
import { count } from './row.ts';
import { keyOf } from './key.ts';
import type { PortClaim } from '../store.ts';

/** Every address of the family: primary key columns cannot be NULL. */
export const ANY_HOST = new Uint8Array(0);

// Ranges that overlap [first, last] begin at most the longest range's length before it: with single ports only, the
// index is searched for exactly the ports asked for. (Written as max(count) inside coalesce, SQLite would scan the
// whole index.)
const COLLIDING = `
  FROM port LEFT JOIN attachment ON attachment.id = port.attachment
  WHERE protocol = :protocol
    AND first BETWEEN :first + 1
      - coalesce((SELECT count FROM port WHERE protocol = :protocol ORDER BY count DESC LIMIT 1), 1) AND :last
    AND first + count > :first
    AND (:family = 0 OR family = 0 OR family = :family)
    AND (:host = x'' OR host = x'' OR host = :host)`;
const COLLISION = `SELECT port.attachment AS attachment, network, container, ifname ${COLLIDING} LIMIT 1`;
const OWNERS = `SELECT DISTINCT network, container, ifname ${COLLIDING}`;

interface Collision {
  readonly attachment: number;
  readonly owner: AttachmentKey | undefined;
}

function parametersOf({ protocol, first, count: ports, family, host }: PortClaim) {
  return { protocol, first, last: first + ports - 1, family, host: host ? keyOf(host) : ANY_HOST };
}

/** All whose claims collide with this one. */
export function findOwners(db: Connection, claim: PortClaim): AttachmentKey[] {
  const rows = db.allNamed(OWNERS, parametersOf(claim));
  return rows.filter((row) => row['network'] !== null).map(keyFrom);
}

export function findCollision(db: Connection, claim: PortClaim): Collision | undefined {
  const row = db.named(COLLISION, parametersOf(claim));
  if (row === undefined) return undefined;
  return { attachment: count(row, 'attachment'), owner: row['network'] === null ? undefined : keyFrom(row) };
}

/** Throws 'port-taken' naming the owner. */
export function claimPort(db: Connection, claim: PortClaim, attachment: number): void {
  const collision = findCollision(db, claim);
  if (collision !== undefined) {
    if (collision.attachment === attachment) {
      const advice = 'publish each host port once';
      throw new NetmoorError('port-taken', `the same container asks for ${formatClaim(claim)} twice`, advice);
    }
    const owner = collision.owner === undefined ? 'another container' : formatKey(collision.owner);
    const advice =
      'publish another port, give each container a host address of its own, or remove that container';
    throw new NetmoorError('port-taken', `${owner} already publishes ${formatClaim(claim)}`, advice);
  }
  db.run(
    'INSERT INTO port (protocol, first, family, host, count, attachment) VALUES (?, ?, ?, ?, ?, ?)',
    claim.protocol,
    claim.first,
    claim.family,
    claim.host ? keyOf(claim.host) : ANY_HOST,
    claim.count,
    attachment,
  );
}

export function releasePort(db: Connection, claim: PortClaim, attachment: number): void {
  db.run(
    'DELETE FROM port WHERE protocol = ? AND first = ? AND family = ? AND host = ? AND attachment = ?',
    claim.protocol,
    claim.first,
    claim.family,
    claim.host ? keyOf(claim.host) : ANY_HOST,
    attachment,
  );
}
