/**
 * What a start of the one-shot executable is made of. Run by itself, this file is one measurement: in a fresh process
 * it evaluates the parts of the program one by one, as the executable does, and prints the milliseconds of each as
 * JSON.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { evaluate } from '../../cli/build/evaluate.ts';
import { NODE_FLAGS } from '../../cli/build/flags.ts';
import { KOFFI, NODE, PLUGINS } from '../../cli/build/paths.ts';

export type Parts = Readonly<Record<string, number>>;

function measureParts(): Parts {
  const [plugin] = PLUGINS;
  if (plugin === undefined) throw new Error('there is no main plugin');
  const parts: Record<string, number> = {};
  const measure = <T>(what: string, work: () => T): T => {
    const start = performance.now();
    const result = work();
    parts[what] = performance.now() - start;
    return result;
  };
  const [bundle, cache] = measure('read bundle and code cache', () => [
    readFileSync(plugin.source, 'latin1'),
    readFileSync(plugin.cache),
  ]);
  const stage = measure('compile with code cache', () => evaluate(bundle, cache));
  if (stage.rejected) throw new Error('V8 refused the code cache');
  for (const [name, load] of Object.entries(stage.exports as Record<string, () => unknown>))
    measure(name, load);
  measure('node:sqlite', () => process.getBuiltinModule('node:sqlite'));
  measure('koffi, the native module', () => process.dlopen({ exports: {} }, KOFFI));
  return parts;
}

/** The parts of `count` starts, each in a process of its own. */
export function partsOfStarts(count: number): Parts[] {
  const self = fileURLToPath(import.meta.url);
  return Array.from({ length: count }, () => {
    const { status, stdout, stderr } = spawnSync(NODE, [...NODE_FLAGS, self], { encoding: 'utf8', env: {} });
    if (status !== 0) throw new Error(`start-up could not be measured:\n${stderr}`);
    return JSON.parse(stdout) as Parts;
  });
}

export async function measureStartup(_states: string, rounds: number): Promise<{ rows: []; notes: string[] }> {
  return { rows: [], notes: [JSON.stringify(partsOfStarts(Math.min(rounds, 15)))] };
}

if (import.meta.main) process.stdout.write(JSON.stringify(measureParts()));
