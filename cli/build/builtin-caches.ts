/**
 * The code caches of Node.js's own modules. They lie in its executable, made without any V8 option, and V8 accepts a code cache
 * only under the options it was made with: under ours each of them that a start needs would be compiled anew, which costs an
 * ADD two milliseconds. Their headers are therefore given the mark of our options, none of which changes what a function compiles to.
 */
import { spawnSync } from 'node:child_process';

/** V8's src/snapshot/code-serializer.h, SerializedCodeData: magic number, version hash, source hash, flag hash, 32 bits each. */
const HEADER_BYTES = 16;
const FLAG_HASH_OFFSET = 12;

const PRINT_HEADER = `process.stdout.write(new vm.Script('0').createCachedData().subarray(0, ${HEADER_BYTES}))`;

/** The header of a code cache that `node` makes under `flags`. */
function headerUnder(node: string, flags: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(node, [...flags, '-e', PRINT_HEADER], { env: {} });
  if (status !== 0 || stdout.length !== HEADER_BYTES)
    throw new Error(`${node} made no code cache:\n${String(stderr)}`);
  return stdout;
}

/**
 * Changes, in `file`, the marks of all code caches made under no option to those of `flags`; how many they were. `node` is a
 * Node.js of the same version.
 */
export function acceptBuiltinCaches(file: Buffer, node: string, flags: readonly string[]): number {
  const found = headerUnder(node, []);
  const wanted = headerUnder(node, flags);
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
