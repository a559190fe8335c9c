/**
 * The mark that a code cache carries of the V8 options it was made under: under any others V8 refuses it and compiles
 * anew. Options that change nothing in what a function compiles to are refused like the rest, so such marks are
 * rewritten here; same-caches.ts proves that they may be.
 */
import { spawnSync } from 'node:child_process';

/**
 * V8's src/snapshot/code-serializer.h, SerializedCodeData: magic number, version hash, source hash, flag hash, 32 bits
 * each.
 */
const HEADER_BYTES = 16;
export const FLAG_HASH_OFFSET = 12;

const PRINT_HEADER = `process.stdout.write(new vm.Script('0').createCachedData().subarray(0, ${HEADER_BYTES}))`;

/** The header of a code cache that `node` makes under `flags`. */
function headerUnder(node: string, flags: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(node, [...flags, '-e', PRINT_HEADER], { env: {} });
  if (status !== 0 || stdout.length !== HEADER_BYTES)
    throw new Error(`${node} made no code cache:\n${String(stderr)}`);
  return stdout;
}

/**
 * Gives all code caches in `file` that were made under the V8 options `made` the mark of `used`; how many they were.
 * `node` is a Node.js of the version that made them.
 */
export function restampCaches(
  file: Buffer,
  node: string,
  made: readonly string[],
  used: readonly string[],
): number {
  const found = headerUnder(node, made);
  const wanted = headerUnder(node, used);
  const start = found.subarray(0, 8);
  let count = 0;
  for (let at = file.indexOf(start); at !== -1; at = file.indexOf(start, at + 1)) {
    const mark = at + FLAG_HASH_OFFSET;
    if (found.compare(file, mark, mark + 4, FLAG_HASH_OFFSET) !== 0) continue;
    wanted.copy(file, mark, FLAG_HASH_OFFSET);
    count += 1;
  }
  return count;
}
