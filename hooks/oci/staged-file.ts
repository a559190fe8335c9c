/**
 * Files written for a container in two steps: everything that can fail, first; then the one step that puts the new
 * content in place. So a file that cannot be written is known before any is changed.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { NetmoorError, errorText, isErrno } from '../../lib/base/errors.ts';
import { quote } from '../../lib/cni/quote.ts';
import {
  closeDirectory,
  entryOf,
  openDirectory,
  openDirectoryBelow,
  openFileBelow,
} from '../../lib/system/in-root.ts';
import type { Confinement } from '../../lib/system/in-root.ts';

export interface StagedFile {
  /** Puts the content in place. */
  commit(): void;
  /** Leaves everything as it was; after `commit` it does nothing. */
  discard(): void;
}

/** Throws 'io', saying what stands in the way of writing `path`. */
function explain(error: unknown, path: string): never {
  if (error instanceof NetmoorError) throw error;
  const outside = isErrno(error, 'EXDEV', 'ELOOP');
  throw new NetmoorError(
    'io',
    outside
      ? `${quote(path)} leads to another place by a symbolic link or a mount`
      : `${quote(path)} cannot be written: ${errorText(error)}`,
    outside
      ? 'bind a file of the bundle there, or have it not written'
      : 'check the path, and that there is room',
    { cause: error },
  );
}

function writeAll(fd: number, text: string): void {
  const content = Buffer.from(text);
  for (let written = 0; written < content.length; )
    written += writeSync(fd, content, written, content.length - written, written);
}

function refuseDirectory(path: string, shown: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory())
    throw new NetmoorError('io', `${quote(shown)} is a directory`, 'remove it, or have the file not written');
}

/** A directory that is missing is made: an image need not have /etc. One level only, and never through a link. */
function openParent(root: number, path: string, confinement: Confinement, make: boolean): number {
  const parent = dirname(path);
  try {
    return openDirectoryBelow(root, parent, confinement);
  } catch (error) {
    if (!make || !isErrno(error, 'ENOENT') || parent.includes('/')) throw error;
    mkdirSync(entryOf(root, parent), 0o755);
    const made = openDirectoryBelow(root, parent, confinement);
    giveToOwner(made, root);
    return made;
  }
}

/**
 * As everybody in the container can read it, whatever the umask; in a user namespace its owner is that of the directory
 * above.
 */
function giveToOwner(directory: number, above: number): void {
  const { uid, gid } = statSync(entryOf(above, '.'));
  chownSync(entryOf(directory, '.'), uid, gid);
  chmodSync(entryOf(directory, '.'), 0o755);
}

/** A root file system may be the host's own, bound or named: what is written for a container must not be the host's. */
function refuseHost(directory: number, shown: string): void {
  const [host, there] = ['/etc', entryOf(directory, '.')].map((path) => statSync(path, { bigint: true }));
  if (host?.dev !== there?.dev || host?.ino !== there?.ino) return;
  closeDirectory(directory);
  throw new NetmoorError(
    'bad-config',
    `${quote(shown)} of the container is that of the host`,
    'give the container a root file system of its own, or have the file not written',
  );
}

/** A draft in the directory where the file goes, which it replaces whatever that is, links included. */
class Replacement implements StagedFile {
  readonly #directory: number;
  readonly #name: string;
  readonly #draft: string;
  #open = true;

  constructor(directory: number, name: string, text: string, shown: string) {
    this.#directory = directory;
    this.#name = name;
    this.#draft = `.netmoor-${name}`;
    try {
      refuseDirectory(entryOf(directory, name), shown);
      this.#write(text);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** In a user namespace the container's root owns its files: whoever owns the directory does. */
  #write(text: string): void {
    const draft = entryOf(this.#directory, this.#draft);
    rmSync(draft, { force: true });
    const fd = openSync(
      draft,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o644,
    );
    try {
      const { uid, gid } = statSync(entryOf(this.#directory, '.'));
      fchownSync(fd, uid, gid);
      fchmodSync(fd, 0o644);
      writeAll(fd, text);
    } finally {
      closeSync(fd);
    }
  }

  commit(): void {
    if (!this.#open) return;
    renameSync(entryOf(this.#directory, this.#draft), entryOf(this.#directory, this.#name));
    this.#close();
  }

  discard(): void {
    if (!this.#open) return;
    rmSync(entryOf(this.#directory, this.#draft), { force: true });
    this.#close();
  }

  #close(): void {
    this.#open = false;
    closeDirectory(this.#directory);
  }
}

/** A file that is mounted somewhere keeps its inode: it is overwritten, not replaced. */
class Overwriting implements StagedFile {
  readonly #fd: number;
  readonly #text: string;
  #open = true;

  constructor(fd: number, text: string, shown: string) {
    this.#fd = fd;
    this.#text = text;
    if (fstatSync(fd).isFile()) return;
    this.discard();
    throw new NetmoorError('io', `${quote(shown)} is no regular file`, 'mount a file of the bundle there');
  }

  commit(): void {
    if (!this.#open) return;
    ftruncateSync(this.#fd);
    writeAll(this.#fd, this.#text);
    this.discard();
  }

  discard(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}

function within<T>(directory: string, work: (root: number) => T, shown: string): T {
  try {
    const root = openDirectory(directory);
    try {
      return work(root);
    } finally {
      closeDirectory(root);
    }
  } catch (error) {
    return explain(error, shown);
  }
}

/**
 * Stages the replacement of `path`, relative to `directory`, which is entered by the confinement's rules. Throws
 * NetmoorError('io').
 */
export function stageBelow(
  directory: string,
  path: string,
  text: string,
  confinement: Confinement,
): StagedFile {
  const inContainer = confinement === 'root';
  const stage = (root: number): StagedFile => {
    const parent = openParent(root, path, confinement, inContainer);
    if (inContainer) refuseHost(parent, path);
    return new Replacement(parent, basename(path), text, path);
  };
  return within(directory, stage, path);
}

/** Stages overwriting an existing file below `directory`. Throws NetmoorError('io'). */
export function stageInPlace(directory: string, path: string, text: string): StagedFile {
  return within(
    directory,
    (root) => new Overwriting(openFileBelow(root, path, 'write', 'beneath'), text, path),
    path,
  );
}

/** Puts all in place. */
export function commitAll(staged: readonly StagedFile[]): void {
  for (const file of staged) file.commit();
}

export function discardAll(staged: readonly StagedFile[]): void {
  for (const file of staged) file.discard();
}
