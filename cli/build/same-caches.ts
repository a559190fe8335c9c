/**
 * Proof that code caches may pass from one set of V8 options to another (see cache-marks.ts): every function of
 * Node.js's own modules compiles to the same bytes under both, except for the mark itself.
 *
 * The bytes depend on the seed of string hashes too, which V8 draws anew for each process (and expects to differ: it
 * hashes what it reads from a cache again). --no-rehash-snapshot takes the seed of the snapshot instead. So both sides
 * start from a snapshot with a known seed, and are told to draw that one.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLAG_HASH_OFFSET } from './cache-marks.ts';

/** --no-lazy: also those functions that nobody has called yet. */
const COMMON = ['--hash-seed=20260101', '--no-lazy', '--no-warnings'];

/** Prints a digest of the code cache of each of Node.js's modules, its mark left out. */
const PROBE = `
  const vm = require('node:vm');
  const { createHash } = require('node:crypto');
  require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {
    for (const [name, source] of Object.entries(process.binding('natives'))) {
      // JSON, and ES modules of the profiler's tools.
      if (name === 'config' || name.startsWith('internal/deps/v8/')) continue;
      const wrapped = '(function () {' + source + '\\n})';
      const cache = new vm.Script(wrapped, { filename: name }).createCachedData();
      cache.fill(0, ${FLAG_HASH_OFFSET}, ${FLAG_HASH_OFFSET + 4});
      console.log(name, cache.length, createHash('sha256').update(cache).digest('hex'));
    }
  });`;

function run(node: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(node, args, { env: {}, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${node} ${args.join(' ')} failed:\n${stderr}`);
  return stdout;
}

/** Throws when the code caches of `node` under the options `made` and `used` differ. Leaves two files in `work`. */
export function proveSameCaches(
  node: string,
  made: readonly string[],
  used: readonly string[],
  work: string,
): void {
  const probe = join(work, 'probe.cjs');
  const snapshot = join(work, 'probe.blob');
  writeFileSync(probe, PROBE);
  run(node, [...COMMON, '--snapshot-blob', snapshot, '--build-snapshot', probe]);
  const [before, after] = [made, used].map((flags) =>
    run(node, [...COMMON, ...flags, '--snapshot-blob', snapshot]).split('\n'),
  );
  if (before === undefined || after === undefined || before.length < 100)
    throw new Error(`${node} does not give away its modules`);
  const differing = before.filter((line, index) => line !== after[index]).map((line) => line.split(' ')[0]);
  if (differing.length > 0 || before.length !== after.length)
    throw new Error(
      `under ${used.join(' ')} V8 compiles ${differing.slice(0, 5).join(', ')} to something else`,
    );
}
