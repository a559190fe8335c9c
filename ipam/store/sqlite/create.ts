/**
 * Making the file of the embedded store, and bringing an older one up to date, whoever else is doing so at this
 * instant.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import { makeDirectory } from '../../../lib/system/directory.ts';
import type { Connection } from './connection.ts';
import { retryWhileBusy } from './connection.ts';
import { unusableDirectory } from './failure.ts';
import { count } from './row.ts';
import { STEPS } from './schema.ts';

/** The number of schema steps the file has behind it; 0 for one that is still empty. Throws 'store' for a newer one. */
export function schemaVersion(connection: Connection): number {
  const version = count(connection.get('PRAGMA user_version'), 'user_version');
  if (version > STEPS.length) {
    throw new NetmoorError(
      'store',
      `lease store ${connection.file} is of version ${version}, this netmoor knows ${STEPS.length}`,
      'a newer netmoor has used it: use that one here too',
    );
  }
  return version;
}

/** Creates directory (0700) and file (0600) when absent. Throws 'store'. */
export function createFile(file: string): void {
  if (existsSync(file)) return;
  const directory = dirname(file);
  try {
    makeDirectory(directory, 0o700);
  } catch (error) {
    throw unusableDirectory(directory, error);
  }
  try {
    // Only the one that creates it may close it: closing any descriptor of a file drops this process's locks on it.
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw unusableDirectory(directory, error);
  }
}

/**
 * Brings the file to the newest schema. The switch to the log comes before the first step, so that a file with a
 * version is always in that mode; processes meeting on an empty file may each try it.
 */
export function migrate(connection: Connection, now: () => number): void {
  // SQLite does not wait here itself when two connections want to upgrade the same lock: one has to give way and try
  // again.
  if (schemaVersion(connection) === 0)
    retryWhileBusy(now, () => connection.script('PRAGMA journal_mode = WAL'));
  connection.beginWrite(now);
  try {
    for (const step of STEPS.slice(schemaVersion(connection))) connection.script(step);
    connection.script(`PRAGMA user_version = ${STEPS.length}`);
    connection.run('COMMIT');
  } catch (error) {
    connection.rollback();
    throw error;
  }
}
