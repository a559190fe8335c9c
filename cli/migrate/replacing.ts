/** Putting the rewritten network in the place of the old one, which is kept. */
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { NetmoorError, errorText, isErrno } from '../../lib/base/errors.ts';
import { quote } from '../../lib/cni/quote.ts';

/** No runtime reads a file that ends so. */
const BACKUP = '.before-netmoor';

function refuse(message: string, advice: string, cause?: unknown): never {
  throw new NetmoorError('io', message, advice, { cause });
}

function lookAt(file: string): { uid: number; gid: number; mode: number; mtimeNs: bigint; ino: bigint } {
  const stat = lstatSync(file, { bigint: true });
  if (stat.isSymbolicLink())
    refuse(
      `${quote(file)} is a symbolic link to ${quote(readlinkSync(file))}`,
      'give the file itself: replacing the link would leave that one as it is',
    );
  const { uid, gid, mode, mtimeNs, ino } = stat;
  return { uid: Number(uid), gid: Number(gid), mode: Number(mode) & 0o7777, mtimeNs, ino };
}

function keep(file: string, backup: string): void {
  try {
    copyFileSync(file, backup, constants.COPYFILE_EXCL);
  } catch (error) {
    if (isErrno(error, 'EEXIST'))
      refuse(
        `${quote(backup)} is there already`,
        'it is of an earlier migration: move it away, and try again',
        error,
      );
    throw error;
  }
  syncPath(backup);
}

function syncPath(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** With the owner and the mode of the old one, which runtimes of users may depend on. */
function writeDraft(draft: string, content: string, like: { uid: number; gid: number; mode: number }): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  rmSync(draft, { force: true });
  const fd = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeFileSync(fd, content);
    fchownSync(fd, like.uid, like.gid);
    fchmodSync(fd, like.mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Of what we have made ourselves; that it cannot go is not what is to be told. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The error that led here counts.
  }
}

/** What `before` says is in the file is replaced in one step; returns where it is kept. Throws NetmoorError('io'). */
export function replaceKeeping(file: string, before: Buffer, content: string, read: () => Buffer): string {
  const backup = `${file}${BACKUP}`;
  const draft = `${dirname(file)}/.${basename(file)}.netmoor-draft`;
  let kept = false;
  try {
    const like = lookAt(file);
    writeDraft(draft, content, like);
    keep(file, backup);
    kept = true;
    const now = lookAt(file);
    if (now.ino !== like.ino || now.mtimeNs !== like.mtimeNs || !read().equals(before))
      refuse(`${quote(file)} was changed meanwhile`, 'look at it again');
    renameSync(draft, file);
  } catch (error) {
    discard(draft);
    if (kept) discard(backup);
    if (error instanceof NetmoorError) throw error;
    return refuse(`${quote(file)} cannot be replaced: ${errorText(error)}`, 'it is as it was', error);
  }
  syncPath(dirname(file));
  return backup;
}
