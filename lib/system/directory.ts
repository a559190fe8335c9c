/** Directories with the permissions that are meant, whatever umask the process was started under. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { isErrno } from '../base/errors.ts';

const PARENT_MODE = 0o755;

function make(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    throw error;
  }
  // A umask may have taken permissions away; it cannot have added any.
  chmodSync(path, mode);
}

/** Makes a directory with `mode` when it is missing, and what is missing above it with 0755. Throws Node's errors. */
export function makeDirectory(path: string, mode = PARENT_MODE): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  make(path, mode);
}
