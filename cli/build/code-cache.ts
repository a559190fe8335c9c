/** The code cache of the second stage, made by a rehearsal in namespaces of its own; where those cannot be made, a thinner one. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_FLAGS } from './flags.ts';
import { CODE_CACHE, NODE } from './paths.ts';

/** The lease store and the native module lie below /var/lib: they are made anew, and nobody else sees them. */
const IN_PRIVATE = 'mount -t tmpfs -o mode=755 tmpfs /var/lib && exec "$@"';

function run(command: readonly string[]): boolean {
  const [file = '', ...args] = command;
  return spawnSync(file, args, { stdio: 'inherit' }).status === 0;
}

function script(name: string): string[] {
  return [NODE, ...NODE_FLAGS, join(import.meta.dirname, name)];
}

/** Writes CODE_CACHE. */
export function makeCodeCache(): void {
  rmSync(CODE_CACHE, { force: true });
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  run(['unshare', ...user, '--net', '--mount', 'sh', '-c', IN_PRIVATE, 'sh', ...script('rehearse.ts')]);
  if (!existsSync(CODE_CACHE)) run([...script('rehearse.ts'), '--load-only']);
  if (!run(script('accepts-cache.ts'))) throw new Error('V8 refuses the code cache that it made');
}
