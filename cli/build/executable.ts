/** Node.js, the program and what it loads at run time, in one file (Node.js "Single executable applications"). */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restampCaches } from './cache-marks.ts';
import { NODE_FLAGS } from './flags.ts';
import { removeLibatomic } from './without-libatomic.ts';
import { BIN, KOFFI, NODE, STAGES, START, WORK } from './paths.ts';

function restamp(file: Buffer, made: readonly string[]): void {
  if (restampCaches(file, NODE, made, NODE_FLAGS) === 0)
    throw new Error('this Node.js marks its code caches in another way (see cache-marks.ts)');
}

/**
 * Node.js without debugging information, a fifth of the file (binutils may be missing, it then stays), without libatomic,
 * which a host need not have, and with code caches that V8 accepts under our options.
 */
function slimNode(): string {
  const slim = join(WORK, 'node');
  if (spawnSync('strip', ['-o', slim, NODE]).status !== 0) copyFileSync(NODE, slim);
  const file = readFileSync(slim);
  removeLibatomic(file);
  // Those of Node.js's own modules, made under no options. Compiling the modules of an ADD anew would cost it 2 ms.
  restamp(file, []);
  writeFileSync(slim, file, { mode: 0o755 });
  return slim;
}

/** The name under which the native module is laid down: another module gets another name. */
function writeKoffiId(): string {
  const path = join(WORK, 'koffi.id');
  const hash = createHash('sha256').update(readFileSync(KOFFI)).digest('hex');
  writeFileSync(path, hash.slice(0, 16));
  return path;
}

function writeSeaConfig(output: string): string {
  const path = join(WORK, 'sea.json');
  const config = {
    main: START,
    output,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgv: NODE_FLAGS,
    // NODE_OPTIONS of whoever starts us as root is not obeyed.
    execArgvExtension: 'none',
    assets: {
      ...Object.fromEntries(
        STAGES.flatMap(({ name, source, cache }) => [
          [`${name}.js`, source],
          [`${name}.cache`, cache],
        ]),
      ),
      'koffi.node': KOFFI,
      'koffi.id': writeKoffiId(),
    },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function build(): string {
  const output = join(WORK, 'netmoor');
  // The old one may be running, under its other names.
  rmSync(output, { force: true });
  // The first stage's code cache is made without running it: it shall contain all functions, not those alone that run at once.
  const flags = [...NODE_FLAGS, '--no-lazy'];
  const { status, stderr } = spawnSync(slimNode(), [...flags, '--build-sea', writeSeaConfig(output)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`node --build-sea failed:\n${stderr}`);
  const file = readFileSync(output);
  restamp(file, flags);
  writeFileSync(output, file);
  return output;
}

/** A refused code cache would be told on stderr. */
function mustStart(executable: string): void {
  const { status, stderr } = spawnSync(executable, {
    env: { CNI_COMMAND: 'VERSION' },
    argv0: 'bridge-nat',
    encoding: 'utf8',
  });
  if (status !== 0 || stderr !== '')
    throw new Error(`the executable does not start cleanly (status ${status}):\n${stderr}`);
}

/** Leaves in BIN one file under all `names`; programs that are being run keep the file they were started from. */
export function packExecutables(names: readonly string[]): void {
  const executable = build();
  mustStart(executable);
  mkdirSync(BIN, { recursive: true });
  for (const name of names) {
    const partial = join(BIN, `.${name}`);
    rmSync(partial, { force: true });
    linkSync(executable, partial);
    renameSync(partial, join(BIN, name));
  }
}
