/**
 * The embedded driver of the lease store: SQLite through node:sqlite, one file shared by every process of the host.
 * `BEGIN IMMEDIATE` is the lock between processes; it dies with its holder, and so does what was not committed.
 */
import { existsSync, statSync } from 'node:fs';
import { NetmoorError } from '../../../lib/base/errors.ts';
import { dropOtherBoots, isSameBoot } from './boot.ts';
import { Connection } from './connection.ts';
import { createFile, migrate, schemaVersion } from './create.ts';
import { EMPTY } from '../empty.ts';
import { guard } from './failure.ts';
import { SqliteReader } from './reader.ts';
import { STEPS } from './schema.ts';
import type { LeaseStore, StoreReader, StoreTransaction } from '../store.ts';
import { SqliteTransaction } from './transaction.ts';

export interface SqliteOptions {
  readonly file: string;
  readonly bootId: string;
  readonly hostId: string;
  /** Milliseconds, for the deadline of waiting for other processes. */
  readonly now: () => number;
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** "device:inode"; '' when there is no such file. */
function identityOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}

export class SqliteStore implements LeaseStore {
  readonly #options: SqliteOptions;
  #connection: Connection | undefined;
  #identity = '';
  #bootChecked = false;

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  write<T>(fn: (tx: StoreTransaction) => T): T {
    return guard(this.#options.file, () => this.#written(this.#open(), fn));
  }

  intend<T>(fn: (tx: StoreTransaction) => T): T {
    return guard(this.#options.file, () => {
      const db = this.#open();
      return db.inTransaction ? this.#written(db, fn) : db.unflushed(() => this.#written(db, fn));
    });
  }

  read<T>(fn: (reader: StoreReader) => T): T {
    const { file } = this.#options;
    if (!this.#connection?.inTransaction && !existsSync(file)) return fn(EMPTY);
    return guard(file, () => {
      const db = this.#open();
      this.#refuseNesting(db);
      db.run('BEGIN');
      return this.#finish(db, () => fn(this.#reader(db)));
    });
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#bootChecked = false;
  }

  #open(): Connection {
    // A store is kept open from one request to the next (World.keep): the file may have been replaced between them.
    if (this.#connection?.inTransaction === false && identityOf(this.#options.file) !== this.#identity)
      this.close();
    if (this.#connection === undefined) {
      createFile(this.#options.file);
      this.#connection = new Connection(this.#options.file);
      this.#identity = identityOf(this.#options.file);
    }
    return this.#connection;
  }

  #reader(db: Connection): StoreReader {
    const version = schemaVersion(db);
    // Being created right now, or its creator died: reading leaves that to the next write.
    if (version === 0) return EMPTY;
    if (version < STEPS.length) {
      db.rollback();
      migrate(db, this.#options.now);
      db.run('BEGIN');
    }
    return new SqliteReader(db);
  }

  #refuseNesting(db: Connection): void {
    if (!db.inTransaction) return;
    throw new NetmoorError('internal', 'a transaction of the lease store was begun inside another one');
  }

  /** Opens a write transaction on a file of the newest schema, rid of other boots' attachments. */
  #begin(db: Connection): void {
    this.#refuseNesting(db);
    db.beginWrite(this.#options.now);
    try {
      if (schemaVersion(db) < STEPS.length) {
        db.rollback();
        migrate(db, this.#options.now);
        db.beginWrite(this.#options.now);
      }
      if (this.#bootChecked) return;
      if (!isSameBoot(db, this.#options)) {
        // Committed by itself: it stays true whatever becomes of the transaction that happened to notice.
        dropOtherBoots(db, this.#options);
        db.run('COMMIT');
        db.beginWrite(this.#options.now);
      }
      this.#bootChecked = true;
    } catch (error) {
      db.rollback();
      throw error;
    }
  }

  #written<T>(db: Connection, fn: (tx: StoreTransaction) => T): T {
    this.#begin(db);
    return this.#finish(db, () => fn(new SqliteTransaction(db)));
  }

  #finish<T>(db: Connection, fn: () => T): T {
    try {
      const result = fn();
      if (isThenable(result)) {
        throw new NetmoorError(
          'internal',
          'a transaction of the lease store was given an asynchronous function',
        );
      }
      db.run('COMMIT');
      return result;
    } catch (error) {
      db.rollback();
      throw error;
    }
  }
}
