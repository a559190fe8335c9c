/** What went wrong in SQLite or under it, in words a person can act on. Result codes: sqlite.org/rescode.html. */
import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { lockHolder } from '../../../lib/system/lock-holder.ts';
import { StoreHeld } from '../store.ts';

const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
// No space left shows as a failed write to the log: SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE.
const OUT_OF_SPACE = new Set([10 | (3 << 8), 10 | (19 << 8), 10 | (6 << 8)]);

export function isBusy(error: unknown): boolean {
  return resultCode(error) % 256 === SQLITE_BUSY;
}

/** SQLite's extended result code; 0 for any other error. */
function resultCode(error: unknown): number {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_SQLITE_ERROR') return 0;
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
}

/** The errno name of why a path cannot be written, or undefined when it can. */
function whyNotWritable(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : errorText(error);
  }
}

export function unusableDirectory(directory: string, error: unknown): NetmoorError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : errorText(error);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const advice = full
    ? 'free some space on that file system'
    : 'it must be a directory this user can write to: check its path, owner and mount';
  return new NetmoorError('store', `lease store directory ${directory} cannot be used: ${code}`, advice, {
    cause: error,
  });
}

export function corrupt(file: string, what: string, cause?: unknown): NetmoorError {
  const advice =
    `move ${file}, ${file}-wal and ${file}-shm aside, then run \`netmoor gc --rebuild\`: a new store is made, ` +
    'containers that live are put on record in it, and what none of them owns is removed';
  return new NetmoorError('store', `lease store ${file} is damaged: ${what}`, advice, { cause });
}

/** Of the write-ahead log's index: sqlite.org/walformat.html, WAL_WRITE_LOCK. */
const WRITE_LOCK = 120;

function holderOf(file: string): string | undefined {
  const holder = lockHolder(`${file}-shm`, WRITE_LOCK);
  return holder && `process ${holder.pid}, ${JSON.stringify(holder.name)}`;
}

function describe(file: string, code: number, error: unknown): NetmoorError {
  const text = errorText(error);
  const primary = code % 256;
  if (primary === SQLITE_BUSY) return new StoreHeld(file, holderOf(file), error);
  if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB) return corrupt(file, text, error);
  if (primary === SQLITE_FULL || OUT_OF_SPACE.has(code)) {
    const message = `lease store ${file} cannot grow: ${text}`;
    return new NetmoorError('store', message, `free some space in ${dirname(file)}`, { cause: error });
  }
  const reason = whyNotWritable(file) ?? whyNotWritable(dirname(file));
  if (primary === SQLITE_READONLY || (primary === SQLITE_CANTOPEN && reason !== undefined)) {
    const message = `lease store ${file} cannot be written${reason === undefined ? '' : `: ${reason}`}`;
    const advice =
      'check the owner of the file and its directory, and whether that file system is mounted read-only';
    return new NetmoorError('store', message, advice, { cause: error });
  }
  const what = primary === SQLITE_IOERR ? 'disk I/O error' : 'error';
  const advice = `look at the kernel log and at the state of ${dirname(file)}`;
  return new NetmoorError('store', `lease store ${file}: ${what}: ${text} (SQLite ${code})`, advice, {
    cause: error,
  });
}

/** Runs fn; an SQLite error leaves as NetmoorError 'store' or 'try-again', any other one as it is. */
export function guard<T>(file: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    const code = resultCode(error);
    if (code === 0) throw error;
    throw describe(file, code, error);
  }
}
