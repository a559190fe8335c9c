/**
 * One connection to the embedded store: file and directory, SQLite's settings, statements prepared when first used.
 *
 * Write-ahead log with synchronous=FULL: a transaction is one flush of the log, and survives power loss once committed.
 * The log is folded into the file every 64 pages. A one-shot process that exits without closing leaves the log behind, and
 * the next one reads it again to index it: short logs keep that below the cost of the three flushes that closing takes.
 */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { DatabaseSync } from 'node:sqlite';
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import { isBusy, unusableDirectory } from './failure.ts';
import { STEPS } from './schema.ts';

export type Row = Record<string, SQLOutputValue>;

const BUSY_TIMEOUT_MS = 10_000;
const SETTINGS = 'PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 64';

export class Connection {
  readonly file: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    this.file = file;
    this.#database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
    this.#database.exec(SETTINGS);
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  /** As `get`, values by the names the statement gives them (":name"). */
  named(sql: string, values: Record<string, SQLInputValue>): Row | undefined {
    return this.#prepared(sql).get(values);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values);
  }

  /** Returns the id of the row inserted last. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).lastInsertRowid);
  }

  /** Several statements without values. */
  script(sql: string): void {
    this.#database.exec(sql);
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  rollback(): void {
    // Some errors (a full disk, I/O) have rolled the transaction back already.
    if (this.#database.isTransaction) this.run('ROLLBACK');
  }

  close(): void {
    this.#database.close();
  }
}

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
    mkdirSync(dirname(directory), { recursive: true });
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw unusableDirectory(directory, error);
  }
  try {
    // Only the one that creates it may close it: closing any descriptor of a file drops this process's locks on it.
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw unusableDirectory(directory, error);
  }
}

/**
 * Brings the file to the newest schema. The switch to the log comes before the first step, so that a file with a version is
 * always in that mode; processes meeting on an empty file may each try it.
 */
export function migrate(connection: Connection, now: () => number): void {
  if (schemaVersion(connection) === 0) enterWalMode(connection, now);
  connection.run('BEGIN IMMEDIATE');
  try {
    for (const step of STEPS.slice(schemaVersion(connection))) connection.script(step);
    connection.script(`PRAGMA user_version = ${STEPS.length}`);
    connection.run('COMMIT');
  } catch (error) {
    connection.rollback();
    throw error;
  }
}

function enterWalMode(connection: Connection, now: () => number): void {
  // SQLite does not wait for its busy timeout here when two connections want to upgrade the same lock: one of them has to
  // give way at once, and try again.
  const deadline = now() + BUSY_TIMEOUT_MS;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      connection.script('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBusy(error) || now() > deadline) throw error;
    }
    Atomics.wait(pause, 0, 0, 2);
  }
}

export function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} is no text`);
  return value;
}

export function count(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value !== 'number') throw new TypeError(`column ${column} is no number`);
  return value;
}

export function bytes(row: Row | undefined, column: string): Uint8Array {
  const value = row?.[column];
  if (!(value instanceof Uint8Array)) throw new TypeError(`column ${column} is no blob`);
  return value;
}
