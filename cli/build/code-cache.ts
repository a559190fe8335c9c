/**
 * The code cache of the second stage, made by a rehearsal in namespaces of its own. The same sources make the same
 * bytes: the rehearsal leaves the functions that it has run, numbered as they came; a process that only reads them
 * writes them down again (settle-cache.ts).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restampCaches } from './cache-marks.ts';
import { NODE_FLAGS } from './flags.ts';
import { NODE, STAGES, WORK } from './paths.ts';
import { proveSameCaches } from './same-caches.ts';

/**
 * What V8 also writes down of a function differs from run to run: whether its baseline compiler, a thread, has it in
 * hand, and how often it had run when the compilers looked.
 */
const MAKING_FLAGS: readonly string[] = [
  ...NODE_FLAGS,
  '--no-sparkplug',
  '--no-profile-guided-optimization',
  '--no-lazy-feedback-allocation',
];

/** The lease store and the native module lie below /var/lib: they are made anew, and nobody else sees them. */
const IN_PRIVATE = 'mount -t tmpfs -o mode=755 tmpfs /var/lib && exec "$@"';

function run(command: readonly string[]): boolean {
  const [file = '', ...args] = command;
  return spawnSync(file, args, { stdio: 'inherit' }).status === 0;
}

function script(flags: readonly string[], name: string, ...args: string[]): string[] {
  return [NODE, ...flags, join(import.meta.dirname, name), ...args];
}

/** Gives a code cache that was made under MAKING_FLAGS the mark of those it is used under. */
function restamp(cache: string): void {
  const file = readFileSync(cache);
  if (restampCaches(file, NODE, MAKING_FLAGS, NODE_FLAGS) !== 1) throw new Error(`${cache} has another mark`);
  writeFileSync(cache, file);
}

/** Writes the code cache of each second stage. */
export function makeCodeCaches(): void {
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const privately = ['unshare', ...user, '--net', '--mount', 'sh', '-c', IN_PRIVATE, 'sh'];
  proveSameCaches(NODE, MAKING_FLAGS, NODE_FLAGS, WORK);
  for (const { name, cache } of STAGES) {
    rmSync(cache, { force: true });
    if (!run([...privately, ...script(MAKING_FLAGS, 'rehearse.ts', name)]))
      throw new Error(`the rehearsal of ${name} failed: it needs root, or user namespaces for everybody`);
    if (!run(script(MAKING_FLAGS, 'settle-cache.ts', name)))
      throw new Error('V8 does not read what it has written');
    restamp(cache);
    if (!run(script(NODE_FLAGS, 'accepts-cache.ts', name)))
      throw new Error('V8 refuses the code cache that it made');
  }
}
