/**
 * What a test needs of the machine, so that one which cannot run here says what it lacks.
 */
import { accessSync, constants } from 'node:fs';
import { plainEnvironment } from './harness-process.ts';

/** What the harness itself runs. */
const PROGRAMS = ['unshare', 'nsenter', 'ip', 'tc', 'nft', 'socat'];

/** Names what is missing for tests on the kernel that use these programs too; undefined when nothing is. */
export function lacking(...programs: readonly string[]): string | undefined {
  const missing = [...PROGRAMS, ...programs].filter((program) => !isInstalled(program));
  const words = missing.map((program) => `the program ${program}`);
  if (process.getuid?.() !== 0) words.unshift('root, to make namespaces');
  return words.length > 0 ? `needs ${words.join(' and ')}` : undefined;
}

function isInstalled(program: string): boolean {
  const directories = (plainEnvironment['PATH'] ?? '').split(':');
  return directories.some((directory) => isExecutable(`${directory}/${program}`));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
