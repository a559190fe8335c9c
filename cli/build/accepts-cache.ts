/**
 * Exits 0 when V8, under this process's options, accepts the code cache of the second stage that the argument names.
 */
import { readFileSync } from 'node:fs';
import { evaluate } from './evaluate.ts';
import { STAGES } from './paths.ts';

const files = STAGES.find(({ name }) => name === process.argv[2]);
const rejected = files && evaluate(readFileSync(files.source, 'latin1'), readFileSync(files.cache)).rejected;
process.exitCode = rejected === false ? 0 : 1;
