/**
 * A reboot ends every container: what those of another boot held is free again. The id is the kernel's
 * (/proc/sys/kernel/random/boot_id, random(4)). Networks and round robin's place stay; nobody remembers old holders. A
 * file that several machines share, if by mistake, has a note for each: no machine's reboot ends another's containers.
 */
import type { Connection } from './connection.ts';
import { rebuildRuns } from './runs.ts';

/** Which boot of which machine: `hostId` is '' on one without a lasting identity. */
export interface Boot {
  readonly bootId: string;
  readonly hostId: string;
}

function noteOf(hostId: string): string {
  return hostId === '' ? 'boot' : `boot ${hostId}`;
}

/** True when the store was last written under this boot of the machine. */
export function isSameBoot(db: Connection, { bootId, hostId }: Boot): boolean {
  return db.get('SELECT value FROM meta WHERE key = ?', noteOf(hostId))?.['value'] === bootId;
}

/**
 * Drops the machine's attachments of other boots with all they held, and notes this one. Inside a write transaction.
 */
export function dropOtherBoots(db: Connection, { bootId, hostId }: Boot): void {
  db.run("DELETE FROM attachment WHERE boot <> ? AND machine IN ('', ?)", bootId, hostId);
  db.script('DELETE FROM address WHERE attachment NOT IN (SELECT id FROM attachment)');
  db.script('DELETE FROM port WHERE attachment NOT IN (SELECT id FROM attachment)');
  db.script('DELETE FROM released');
  rebuildRuns(db);
  db.run('REPLACE INTO meta (key, value) VALUES (?, ?)', noteOf(hostId), bootId);
}
