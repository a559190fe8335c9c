/** Node.js, the program and what it loads at run time, in one file (Node.js "Single executable applications"). */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptBuiltinCaches } from './builtin-caches.ts';
import { NODE_FLAGS } from './flags.ts';
import { removeLibatomic } from './without-libatomic.ts';
import { BIN, KOFFI, NODE, STAGES, START, WORK } from './paths.ts';

/**
 * Node.js without debugging information, a fifth of the file (binutils may be missing, it then stays), without libatomic,
 * which a host need not have, and with code caches that V8 accepts under our options.
 */
function slimNode(): string {
  const slim = join(WORK, 'node');
  if (spawnSync('strip', ['-o', slim, NODE]).status !== 0) copyFileSync(NODE, slim);
  const file = readFileSync(slim);
  removeLibatomic(file);
  if (acceptBuiltinCaches(file, NODE, NODE_FLAGS) === 0)
    throw new Error("this Node.js keeps its modules' code caches in another form (see builtin-caches.ts)");
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
  const { status, stderr } = spawnSync(slimNode(), [...NODE_FLAGS, '--build-sea', writeSeaConfig(output)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`node --build-sea failed:\n${stderr}`);
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
