/** The lease store of a directory. */
import { join } from 'node:path';
import { SqliteStore } from './sqlite/driver.ts';
import type { LeaseStore } from './store.ts';

export interface StoreOptions {
  readonly dir: string;
  /** The kernel's boot id: attachments of another boot are freed by the first write. */
  readonly bootId: string;
  /** Stands for this machine; '' when it has no lasting identity. Records of other machines are not ours to free. */
  readonly hostId: string;
  /** Milliseconds of a clock that nobody sets, for the deadline of waiting for other processes. */
  readonly now: () => number;
}

/** Where the store of a directory is, if there is one yet. */
export function storeFile(dir: string): string {
  return join(dir, 'leases.db');
}

/**
 * Touches nothing yet: the file is opened by the first read or write, and created, with its directory, by the first
 * write. Errors come from there.
 */
export function openStore({ dir, ...options }: StoreOptions): LeaseStore {
  return new SqliteStore({ file: storeFile(dir), ...options });
}
