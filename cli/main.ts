/**
 * Where every executable of netmoor starts: one file, doing what the name it is started under says. Loads nothing but
 * what that program needs.
 */
import { basename } from 'node:path';
import { programOf } from './programs.ts';

/**
 * In the single executable argv0 is the name as the caller wrote it, through PATH, hard and symbolic links alike;
 * execPath is the file that runs, for callers who put something else there.
 */
const program = programOf([process.argv0, process.execPath].map((path) => basename(path)));

void program({ args: process.argv.slice(2), environment: process.env });
