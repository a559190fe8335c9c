/** Node.js, the program and what it loads at run time, in one file (Node.js "Single executable applications"). */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restampCaches } from './cache-marks.ts';
import { INSTALLED_TEXTS } from '../install/texts.ts';
import { EMBEDDED_ARGUMENTS, NODE_FLAGS } from './flags.ts';
import { proveSameCaches } from './same-caches.ts';
import { ignoreConfigFile } from './without-config-file.ts';
import { removeLibatomic } from './without-libatomic.ts';
import { BIN, KOFFI, NODE, ROOT, STAGES, START, WORK, WORKER } from './paths.ts';

/** Writes `file` without its debugging information to `output`. */
export function strip(file: string, output: string): void {
  const { error, status, stderr } = spawnSync('strip', ['-o', output, file], { encoding: 'utf8' });
  if (error)
    throw new Error(`strip cannot be started (${error.message}): install binutils, or npm run setup`);
  if (status !== 0) throw new Error(`strip failed:\n${stderr}`);
}

/**
 * Node.js without debugging information, a fifth of the file, without libatomic, which a host need not have, without
 * an eye for a configuration file among our arguments, and with code caches of its own modules that V8 accepts under
 * our options: compiling them anew costs milliseconds.
 */
function slimNode(): string {
  const slim = join(WORK, 'node');
  strip(NODE, slim);
  const file = readFileSync(slim);
  removeLibatomic(file);
  ignoreConfigFile(file);
  proveSameCaches(NODE, [], NODE_FLAGS, WORK);
  if (restampCaches(file, NODE, [], NODE_FLAGS) === 0)
    throw new Error('this Node.js marks its code caches in another way (see cache-marks.ts)');
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
    execArgv: EMBEDDED_ARGUMENTS,
    // NODE_OPTIONS of whoever starts us as root is not obeyed.
    execArgvExtension: 'none',
    assets: {
      ...Object.fromEntries(
        STAGES.flatMap(({ name, source, cache }) => [
          [`${name}.js`, source],
          [`${name}.cache`, cache],
        ]),
      ),
      'worker-main.js': WORKER,
      'koffi.node': KOFFI,
      'koffi.id': writeKoffiId(),
      ...Object.fromEntries(INSTALLED_TEXTS.map((name) => [name, join(ROOT, name)])),
    },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function build(): string {
  const output = join(WORK, 'netmoor');
  // The old one may be running, under its other names.
  rmSync(output, { force: true });
  const args = [...NODE_FLAGS, '--build-sea', writeSeaConfig(output)];
  const { status, stderr } = spawnSync(slimNode(), args, { encoding: 'utf8' });
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
