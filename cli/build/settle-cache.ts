/**
 * Reads the code cache of the second stage that the argument names, and writes it down again. V8 numbers the functions
 * as they appear (SharedFunctionInfo::unique_id), in a rehearsal by what came first; here, by their order in the file.
 * Exits 0 when V8 accepted it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { FILENAME } from './evaluate.ts';
import { STAGES } from './paths.ts';

const files = STAGES.find(({ name }) => name === process.argv[2]);
if (files === undefined)
  throw new Error(`usage: settle-cache.ts ${STAGES.map(({ name }) => name).join('|')}`);

const script = new Script(readFileSync(files.source, 'latin1'), {
  filename: FILENAME,
  cachedData: readFileSync(files.cache),
});
if (script.cachedDataRejected === false) writeFileSync(files.cache, script.createCachedData());
else process.exitCode = 1;
