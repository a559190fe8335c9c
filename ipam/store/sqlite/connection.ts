/**
 * One connection to the embedded store: SQLite's settings, statements prepared when first used, waiting for other
 * processes.
 *
 * Write-ahead log with synchronous=FULL: a transaction is one flush of the log, and survives power loss once committed;
 * one that is committed unflushed is flushed along with the next, since the log is one file, read from its beginning.
 * The log is folded into the file every 256 pages, which takes two flushes more. A one-shot process that exits without
 * closing leaves the log behind, and the next one reads it again to index it: short logs keep that below the cost of
 * closing.
 */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { DatabaseSync } from 'node:sqlite';
import { isBusy } from './failure.ts';
import type { Row } from './row.ts';

/**
 * Of a hundred one-shot ADDs at once on two processors that 30 others keep busy, the last gets its turn after 20 s.
 * Container runtimes give up after minutes.
 */
const BUSY_TIMEOUT_MS = 30_000;
const FLUSHED = 'PRAGMA synchronous = FULL';
const UNFLUSHED = 'PRAGMA synchronous = NORMAL';
const SETTINGS = `${FLUSHED}; PRAGMA wal_autocheckpoint = 256`;

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

  allNamed(sql: string, values: Record<string, SQLInputValue>): Row[] {
    return this.#prepared(sql).all(values);
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

  /** Begins a write transaction as soon as no other process is in one. Throws SQLITE_BUSY after half a minute. */
  beginWrite(now: () => number): void {
    this.script('PRAGMA busy_timeout = 0');
    try {
      retryWhileBusy(now, () => this.run('BEGIN IMMEDIATE'));
    } finally {
      this.script(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  /** What is committed by `work`, no transaction around it, is left for the next flush. */
  unflushed<T>(work: () => T): T {
    this.script(UNFLUSHED);
    try {
      return work();
    } finally {
      this.script(FLUSHED);
    }
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

/** Milliseconds after which one who waits has waited for long. */
const LONG_MS = 2000;

/**
 * Waits for other processes in steps of 1 to 16 ms. SQLite's own waiting goes up to 100 ms at a time, a hundred times
 * what a transaction takes, so that with many waiting the lock mostly lies idle; there is nothing to be woken by. With
 * steps of 1 ms a hundred that wait would keep the processors from the one that works.
 *
 * The lock goes to whoever asks next after it was let go. Who has waited for long asks more often than the others: of a
 * hundred that come and go, one would else be passed over until its time is up.
 */
export function retryWhileBusy(now: () => number, attempt: () => void): void {
  const begun = now();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; ; tries++) {
    try {
      attempt();
      return;
    } catch (error) {
      if (!isBusy(error) || now() - begun > BUSY_TIMEOUT_MS) throw error;
    }
    Atomics.wait(pause, 0, 0, Math.min(1 + tries / 2, now() - begun > LONG_MS ? 8 : 16));
  }
}
