/** Node.js, the program and what it loads at run time, in one file (Node.js "Single executable applications"). */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { restampCaches } from './cache-marks.ts';
import { INSTALLED_TEXTS } from '../install/texts.ts';
import { EMBEDDED_ARGUMENTS, NODE_FLAGS } from './flags.ts';
import { proveSameCaches } from './same-caches.ts';
import { ignoreConfigFile } from './without-config-file.ts';
import { removeLibatomic } from './without-libatomic.ts';
import { removeLocales } from './without-locales.ts';
import { NODE, ROOT, STAGES, START, WORK, WORKER } from './paths.ts';
import type { Architecture, Target } from './paths.ts';

/** The program and the Debian package that it is in. */
const STRIP: Readonly<Record<Architecture, readonly [program: string, from: string]>> = {
  x64: ['strip', 'binutils'],
  arm64: ['aarch64-linux-gnu-strip', 'binutils-aarch64-linux-gnu'],
};

/** Writes `file` without its debugging information to `output`. */
export function strip(file: string, output: string, arch: Architecture = 'x64'): void {
  const [program, from] = STRIP[arch];
  const { error, status, stderr } = spawnSync(program, ['-o', output, file], { encoding: 'utf8' });
  if (error)
    throw new Error(`${program} cannot be started (${error.message}): install ${from}, or npm run setup`);
  if (status !== 0) throw new Error(`${program} failed:\n${stderr}`);
}

/**
 * Node.js without debugging information, a fifth of the file, without libatomic, which a host need not have, without
 * the texts of other languages, an eye for a configuration file among our arguments, and with code caches of its own
 * modules that V8 accepts under our options: compiling them anew costs milliseconds. For another processor libatomic
 * stays, and V8, which cannot be asked here for its mark, compiles them.
 */
function slimNode({ arch, node, work }: Target): string {
  const slim = join(work, 'node');
  strip(node, slim, arch);
  const file = readFileSync(slim);
  ignoreConfigFile(file);
  // Both are of one version: the one that runs the build says which.
  removeLocales(file, process.versions['icu'] ?? '');
  if (arch === 'x64') {
    removeLibatomic(file);
    proveSameCaches(node, [], NODE_FLAGS, work);
    if (restampCaches(file, node, [], NODE_FLAGS) === 0)
      throw new Error('this Node.js marks its code caches in another way (see cache-marks.ts)');
  }
  writeFileSync(slim, file, { mode: 0o755 });
  return slim;
}

/** The name under which the native module is laid down: another module gets another name. */
function writeKoffiId({ koffi, work }: Target): string {
  const path = join(work, 'koffi.id');
  const hash = createHash('sha256').update(readFileSync(koffi)).digest('hex');
  writeFileSync(path, hash.slice(0, 16));
  return path;
}

/** Stands for the code cache that there is none of. */
function writeNothing({ work }: Target): string {
  const path = join(work, 'no.cache');
  writeFileSync(path, '');
  return path;
}

/** `start` is a name without a path: it stands in the executable, which is the same wherever it was built. */
function writeSeaConfig(target: Target, executable: string, output: string): string {
  const { arch, koffi, work } = target;
  const path = join(work, 'sea.json');
  const cached = arch === process.arch;
  const config = {
    main: relative(WORK, START),
    executable,
    output,
    disableExperimentalSEAWarning: true,
    execArgv: EMBEDDED_ARGUMENTS,
    // NODE_OPTIONS of whoever starts us as root is not obeyed.
    execArgvExtension: 'none',
    assets: {
      ...Object.fromEntries(
        STAGES.flatMap(({ name, source, cache }) => [
          [`${name}.js`, source],
          [`${name}.cache`, cached ? cache : writeNothing(target)],
        ]),
      ),
      'worker-main.js': WORKER,
      'koffi.node': koffi,
      'koffi.id': writeKoffiId(target),
      ...Object.fromEntries(INSTALLED_TEXTS.map((name) => [name, join(ROOT, name)])),
    },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function build(target: Target): string {
  const output = join(target.work, 'netmoor');
  // The old one may be running, under its other names.
  rmSync(output, { force: true });
  const slim = slimNode(target);
  const args = ['--build-sea', writeSeaConfig(target, slim, output)];
  const { status, stderr } = spawnSync(NODE, args, { cwd: WORK, encoding: 'utf8' });
  if (status !== 0) throw new Error(`node --build-sea failed:\n${stderr}`);
  return output;
}

/** What Node.js complains of would be in every answer. */
function mustStart(executable: string): void {
  const { status, stderr } = spawnSync(executable, {
    env: { CNI_COMMAND: 'VERSION' },
    argv0: 'bridge-nat',
    encoding: 'utf8',
  });
  if (status !== 0 || stderr !== '')
    throw new Error(`the executable does not start cleanly (status ${status}):\n${stderr}`);
}

/** Leaves in `bin` one file under all `names`; programs that are being run keep the file they were started from. */
export function packExecutables(names: readonly string[], target: Target): void {
  const executable = build(target);
  const { arch, bin } = target;
  if (arch === process.arch) mustStart(executable);
  mkdirSync(bin, { recursive: true });
  for (const name of names) {
    const partial = join(bin, `.${name}`);
    rmSync(partial, { force: true });
    linkSync(executable, partial);
    renameSync(partial, join(bin, name));
  }
}
