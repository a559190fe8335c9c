/** Files of a package as values, and how they come to lie in a folder with nothing of this machine or moment. */
import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** A path inside the package, and what is there; a file's mode is 0644 unless said. */
export type Entry =
  | { readonly path: string; readonly content: string | Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly copyOf: string; readonly mode?: number }
  | { readonly path: string; readonly link: string };

const FILE_MODE = 0o644;

/** All files below `folder`, at the same places below `path`; `change` rewrites their text. */
export function filesBelow(folder: string, path: string, change = (text: string): string => text): Entry[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return files.map((name) => {
    const source = join(folder, name);
    const executable = (statSync(source).mode & 0o100) !== 0;
    const content = change(readFileSync(source, 'utf8'));
    return { path: `${path}/${name}`, content, mode: executable ? 0o755 : FILE_MODE };
  });
}

function lay(entry: Entry, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if ('link' in entry) {
    symlinkSync(entry.link, path);
    return;
  }
  if ('copyOf' in entry) copyFileSync(entry.copyOf, path);
  else writeFileSync(path, entry.content);
  chmodSync(path, entry.mode ?? FILE_MODE);
}

/**
 * Lays `entries` out in `folder`, which is empty or absent; every time there is `epoch` (seconds since 1970), every
 * directory's mode 0755.
 */
export function layOut(entries: readonly Entry[], folder: string, epoch: number): void {
  mkdirSync(folder, { recursive: true });
  for (const entry of entries) lay(entry, join(folder, entry.path));
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  // What is in a directory comes before it: laying it out changed the directory's time.
  for (const path of [
    ...names
      .map((name) => join(folder, name))
      .toSorted()
      .toReversed(),
    folder,
  ]) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) chmodSync(path, 0o755);
    lutimesSync(path, epoch, epoch);
  }
}
