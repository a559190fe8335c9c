/** The code cache of the second stage, made by a rehearsal in namespaces of its own. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_FLAGS } from './flags.ts';
import { NODE, STAGES } from './paths.ts';

/** The lease store and the native module lie below /var/lib: they are made anew, and nobody else sees them. */
const IN_PRIVATE = 'mount -t tmpfs -o mode=755 tmpfs /var/lib && exec "$@"';

function run(command: readonly string[]): boolean {
  const [file = '', ...args] = command;
  return spawnSync(file, args, { stdio: 'inherit' }).status === 0;
}

function script(name: string, ...args: string[]): string[] {
  return [NODE, ...NODE_FLAGS, join(import.meta.dirname, name), ...args];
}

/** Writes the code cache of each second stage. */
export function makeCodeCaches(): void {
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const privately = ['unshare', ...user, '--net', '--mount', 'sh', '-c', IN_PRIVATE, 'sh'];
  for (const { name, cache } of STAGES) {
    rmSync(cache, { force: true });
    if (!run([...privately, ...script('rehearse.ts', name)]))
      throw new Error(`the rehearsal of ${name} failed: it needs root, or user namespaces for everybody`);
    if (!run(script('accepts-cache.ts', name))) throw new Error('V8 refuses the code cache that it made');
  }
}
