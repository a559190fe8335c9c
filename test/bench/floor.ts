/** The floor of an ADD and a DEL: floor.c, by the host's C compiler, as the launcher is made. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compile, WARNINGS } from '../../cli/build/launcher.ts';

const SOURCE = fileURLToPath(new URL('floor.c', import.meta.url));

/** The kernel's headers, which musl has none of, lie where the host's own libc has them (linux-libc-dev). */
function kernelHeaders(): string[] {
  const { stdout } = spawnSync('cc', ['-dumpmachine'], { encoding: 'utf8' });
  return ['/usr/include', `/usr/include/${stdout.trim()}`].flatMap((directory) => ['-idirafter', directory]);
}

/** Compiles it in `directory`; returns the program's path. */
export function makeFloor(directory: string, compiler = process.env['CC'] ?? 'musl-gcc'): string {
  const program = `${directory}/floor`;
  const flags = ['-D_GNU_SOURCE', ...WARNINGS, '-O2', '-static', '-s', ...kernelHeaders()];
  compile(compiler, [...flags, '-o', program, SOURCE]);
  return program;
}
