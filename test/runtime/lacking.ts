/**
 * What a runtime test needs of the machine beside root.
 */
import { accessSync, constants } from 'node:fs';
import { lacking } from '../kernel/harness.ts';

const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Names what is missing; false when nothing is: fits tap's `skip`. */
export function lackingFor(...programs: string[]): string | false {
  const missing = programs.filter(
    (program) => !SEARCH_PATH.some((directory) => isExecutable(`${directory}/${program}`)),
  );
  const words = [lacking(), ...missing.map((program) => `the program ${program}`)].filter(
    (word) => word !== undefined,
  );
  return words.length > 0 && `needs ${words.join(' and ')}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
