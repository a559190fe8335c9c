/** Directories with the mode that is meant: what mkdir(2) makes lacks whatever the caller's umask happens to hold. */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes the directory, and those above it, where they are not there; each that it makes has this mode. */
export function ensureDirectory(path: string, mode: number): void {
  const first = mkdirSync(path, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) chmodSync(made, mode);
}
