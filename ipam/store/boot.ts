/**
 * A reboot ends every container: what those of another boot held is free again. The id is the kernel's
 * (/proc/sys/kernel/random/boot_id, random(4)). Networks and round robin's place stay; nobody remembers old holders.
 */
import type { Connection } from './connection.ts';
import { rebuildRuns } from './runs.ts';

/** True when the store was last written under this boot. */
export function isSameBoot(db: Connection, bootId: string): boolean {
  return db.get("SELECT value FROM meta WHERE key = 'boot'")?.['value'] === bootId;
}

/** Drops the attachments of other boots with all they held, and notes this one. Inside a write transaction. */
export function dropOtherBoots(db: Connection, bootId: string): void {
  db.run('DELETE FROM attachment WHERE boot <> ?', bootId);
  db.script('DELETE FROM address WHERE attachment NOT IN (SELECT id FROM attachment)');
  db.script('DELETE FROM port WHERE attachment NOT IN (SELECT id FROM attachment)');
  db.script('DELETE FROM released');
  rebuildRuns(db);
  db.run("REPLACE INTO meta (key, value) VALUES ('boot', ?)", bootId);
}
