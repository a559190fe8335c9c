/** Small files read whole and replaced whole (see `Files` in world.ts). */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { NetmoorError, isErrno } from '../base/errors.ts';
import { makeDirectory } from '../system/directory.ts';
import { quote } from './quote.ts';
import type { Files } from './world.ts';

/** Room for a configuration and a result, each of the size lib/cni/json.ts accepts, the former in base64. */
const FILE_BYTES = 4 * 1024 * 1024;

function list(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function readAll(file: string, fd: number): Buffer {
  const stat = fstatSync(fd);
  if (!stat.isFile())
    throw new NetmoorError('io', `${quote(file)} is no regular file`, 'replace it with one');
  const buffer = Buffer.alloc(Math.min(stat.size, FILE_BYTES) + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < buffer.length; length += read) {
    read = readSync(fd, buffer, length, buffer.length - length, null);
  }
  if (length > FILE_BYTES)
    throw new NetmoorError(
      'io',
      `${quote(file)} is larger than ${FILE_BYTES} bytes`,
      'no such file needs that much',
    );
  return buffer.subarray(0, length);
}

/** O_NONBLOCK: a FIFO would otherwise be waited for. */
function read(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return readAll(file, fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Beside the file, under a name that is always the same: what a killed process leaves, the next one overwrites or
 * removes.
 */
function draftOf(file: string): string {
  return `${dirname(file)}/.${basename(file)}`;
}

/** Synced before it is renamed: after a power failure there is the old file or the new one, never half of one. */
function write(file: string, content: Buffer): void {
  makeDirectory(dirname(file), 0o700);
  const draft = draftOf(file);
  const fd = openSync(
    draft,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    0o600,
  );
  try {
    for (let written = 0; written < content.length; ) written += writeSync(fd, content, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
}

function remove(file: string): void {
  rmSync(file, { force: true });
  rmSync(draftOf(file), { force: true });
}

export const files: Files = { list, read, write, remove };
