/**
 * `npm run bench -- size`: what the executable is made of, how much of it a start touches, and what the packages weigh.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KOFFI, NODE, ROOT, STAGES, START, TARGETS, WORKER } from '../../cli/build/paths.ts';
import { lacking } from '../kernel/harness.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { median, milliseconds, table } from './figures.ts';

const EXECUTABLE = join(TARGETS.x64.bin, 'netmoor');

type Part = readonly [what: string, bytes: number];

function run(program: string, ...args: string[]): string {
  const options = { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 } as const;
  const { error, stdout } = spawnSync(program, args, options);
  if (error) throw new Error(`${program} cannot be started: ${error.message}`);
  return stdout;
}

/** Sections that take room in the file (ELF, gABI chapter 4), by name; bytes. */
function sections(): Map<string, number> {
  const lines = run('readelf', '-SW', EXECUTABLE).split('\n');
  return new Map(
    lines.flatMap((line) => {
      const match = /^ +\[ *\d+\] (\S+) +(\S+) +\S+ +\S+ ([0-9a-f]+) /.exec(line);
      return match === null || match[2] === 'NOBITS'
        ? []
        : [[match[1] ?? '', Number.parseInt(match[3] ?? '', 16)]];
    }),
  );
}

const PAGE = 4096;

/** Of whole pages of zeros, which are holes in a file that was copied with care, and nothing in an archive. */
function zeros(): number {
  const file = readFileSync(EXECUTABLE);
  const nothing = Buffer.alloc(PAGE);
  let pages = 0;
  for (let at = 0; at + PAGE <= file.length; at += PAGE)
    if (nothing.equals(file.subarray(at, at + PAGE))) pages += 1;
  return pages * PAGE;
}

/** Unicode's tables and the texts of locales, those that were taken out included, in .rodata: one symbol. */
function icuData(): number {
  const size = /^[0-9a-f]+ ([0-9a-f]+) \S icudt\d+_dat$/m.exec(run('nm', '-D', '-S', NODE))?.[1];
  if (size === undefined) throw new Error('this Node.js has its ICU data elsewhere');
  return Number.parseInt(size, 16);
}

const MEANING: Readonly<Record<string, string>> = {
  '.text': "Node.js: code, V8's builtins included",
  '.rodata': 'Node.js: constants, its snapshot, its modules with their code caches',
  '.eh_frame': 'Node.js: how to unwind its stack (C++ exceptions)',
  '.dynsym': 'Node.js: symbols for native modules',
  '.dynstr': 'Node.js: the names of those',
};

function sizeOf(...files: string[]): number {
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}

/** Adds up to the whole file. */
function parts(): Part[] {
  const found = sections();
  const icu = icuData();
  const node = Object.entries(MEANING).map(([name, what]): Part => {
    const bytes = found.get(name) ?? 0;
    return [what, name === '.rodata' ? bytes - icu : bytes];
  });
  const ours: Part[] = [
    ['ours: bundles', sizeOf(START, WORKER, ...STAGES.map(({ source }) => source))],
    ['ours: code caches', sizeOf(...STAGES.map(({ cache }) => cache))],
    ['ours: koffi, the native module', sizeOf(KOFFI)],
  ];
  const named: Part[] = [['Node.js: ICU data', icu], ...node, ...ours];
  const rest = sizeOf(EXECUTABLE) - named.reduce((sum, [, bytes]) => sum + bytes, 0);
  return [...named.toSorted((a, b) => b[1] - a[1]), ['the rest', rest]];
}

function sizeTable(): string {
  const whole = sizeOf(EXECUTABLE);
  const sums: Part[] = [
    ['the executable', whole],
    ['of which zeros (without-locales.ts)', zeros()],
  ];
  const rows = [...parts(), ...sums].map(([what, bytes]) => [
    what,
    (bytes / 1e6).toFixed(2),
    `${((100 * bytes) / whole).toFixed(1)} %`,
  ]);
  return table([['', 'MB', ''], ...rows]);
}

interface Start {
  readonly wall: number;
  readonly minor: number;
  readonly major: number;
}

/** A shell runs it, and says what /proc/PID/stat has of its children: page faults, fields 11 and 13 (proc(5)). */
const COUNTED = '"$@" >/dev/null 2>&1; read -r line < /proc/$$/stat; echo "$line"';

function start(argv: readonly string[], variables: Readonly<Record<string, string>>): Start {
  const env = { ...plainEnvironment, ...variables };
  const begin = performance.now();
  const { stdout } = spawnSync('sh', ['-c', COUNTED, 'sh', ...argv], { encoding: 'utf8', env });
  const wall = performance.now() - begin;
  // Behind the name, which may have spaces: the third field is the first.
  const fields = stdout.slice(stdout.lastIndexOf(')') + 2).split(' ');
  return { wall, minor: Number(fields[8]), major: Number(fields[10]) };
}

const ROUNDS = 25;

/** Taking turns: whatever else the machine does meets all alike. */
function startTable(): string {
  const kinds: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>])[] = [
    ['/bin/true: what measuring costs', ['/bin/true'], {}],
    ['the bare runtime: node -e 0', [NODE, '-e', '0'], {}],
    ['VERSION', [join(TARGETS.x64.bin, 'bridge-nat')], { CNI_COMMAND: 'VERSION' }],
    ['netmoor version', [EXECUTABLE, 'version'], {}],
  ];
  const starts = kinds.map((): Start[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, [, argv, variables]] of kinds.entries()) starts[index]?.push(start(argv, variables));
  const rows = kinds.map(([what], index) => {
    const of = (key: keyof Start): number[] => (starts[index] ?? []).map((each) => each[key]);
    const faults = `${median(of('minor'))}`;
    return [
      what,
      milliseconds(median(of('wall'))),
      milliseconds(Math.min(...of('wall'))),
      faults,
      `${median(of('major'))}`,
    ];
  });
  return table([['a start of', 'median', 'best', 'page faults', 'from disk'], ...rows]);
}

function packageTable(): string {
  const files = globSync('dist/package/netmoor*', { cwd: ROOT }).toSorted();
  if (files.length === 0) return 'no packages: npm run package makes them';
  return table([['', 'MB'], ...files.map((file) => [file, (sizeOf(join(ROOT, file)) / 1e6).toFixed(2)])]);
}

export function lackingForSize(): string | undefined {
  return lacking('readelf', 'nm') ?? (existsSync(EXECUTABLE) ? undefined : EXECUTABLE);
}

export async function measureSize(): Promise<string> {
  return [sizeTable(), startTable(), packageTable()].join('\n\n');
}
