/**
 * How much of the sources runs inside the processes of the tests: counted by V8 (NODE_V8_COVERAGE), added up by c8,
 * told by folder. What tests run as a program of its own, above all the executables, is not in it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const COUNTS = join(ROOT, 'dist/coverage/counts');
const REPORT = join(ROOT, 'dist/coverage');
const C8 = join(ROOT, 'node_modules/c8/bin/c8.js');

/** cli/build runs when the executables are built. */
const SOURCES = ['lib', 'ipam', 'plugins', 'hooks', 'cli'];
const EXCLUDED = 'cli/build/**';
/** Folders whose subfolders are told one by one. */
const DIVIDED = ['lib', 'plugins'];

interface Share {
  readonly total: number;
  readonly covered: number;
}

/** c8's json-summary: by absolute path, and "total". */
type Summary = Readonly<Record<string, { readonly lines: Share; readonly branches: Share }>>;

/**
 * How to start a test so that it is counted. Node.js passes the variable on to every child, whatever environment that
 * is given; it has read it by the time the module takes it away.
 */
export const COUNTED = {
  args: ['--import', 'data:text/javascript,delete process.env.NODE_V8_COVERAGE'],
  env: { NODE_V8_COVERAGE: COUNTS },
} as const;

/** Forgets what was counted before. */
export function startCounting(): void {
  rmSync(REPORT, { recursive: true, force: true });
  mkdirSync(COUNTS, { recursive: true });
}

/** "lib/netlink", "ipam" */
function folderOf(file: string): string {
  const [top = '', second = ''] = relative(ROOT, file).split('/');
  return DIVIDED.includes(top) && !second.endsWith('.ts') ? `${top}/${second}` : top;
}

function sumOf(shares: readonly Share[]): Share {
  const add = (key: keyof Share): number => shares.reduce((sum, share) => sum + share[key], 0);
  return { total: add('total'), covered: add('covered') };
}

function percent({ total, covered }: Share): string {
  return `${(total === 0 ? 100 : (100 * covered) / total).toFixed(1)} %`.padStart(9);
}

function table(summary: Summary): string {
  const files = Object.entries(summary).filter(([file]) => file !== 'total');
  const folders = Map.groupBy(files, ([file]) => folderOf(file));
  const order = (folder: string): number => SOURCES.indexOf(folder.split('/')[0] ?? '');
  const sorted = [...folders].sort(([a], [b]) => order(a) - order(b) || a.localeCompare(b));
  const width = Math.max(...sorted.map(([folder]) => folder.length));
  const line = (name: string, members: typeof files): string => {
    const shares = [
      sumOf(members.map(([, { lines }]) => lines)),
      sumOf(members.map(([, { branches }]) => branches)),
    ];
    return `${name.padEnd(width)}${shares.map(percent).join('')}`;
  };
  const head = `${''.padEnd(width)}${'lines'.padStart(9)}${'branches'.padStart(9)}`;
  return [head, ...sorted.map(([folder, members]) => line(folder, members)), line('all', files)].join('\n');
}

/** The table. Throws when c8 fails. */
export function reportCoverage(): string {
  const args = ['report', '--temp-directory', COUNTS, '--reports-dir', REPORT, '--reporter', 'json-summary'];
  const files = ['--all', '--merge-async', '--src', ROOT, '--extension', '.ts', '--exclude', EXCLUDED];
  const include = SOURCES.flatMap((folder) => ['--include', `${folder}/**`]);
  const done = spawnSync(process.execPath, [C8, ...args, ...files, ...include], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(`c8 failed:\n${done.stdout}${done.stderr}`);
  rmSync(COUNTS, { recursive: true });
  return table(JSON.parse(readFileSync(join(REPORT, 'coverage-summary.json'), 'utf8')) as Summary);
}
