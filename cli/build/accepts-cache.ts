/** Exits 0 when V8, under this process's options, accepts the code cache of the second stage. */
import { readFileSync } from 'node:fs';
import { evaluate } from './evaluate.ts';
import { CODE_CACHE, PROGRAMS } from './paths.ts';

const { rejected } = evaluate(readFileSync(PROGRAMS, 'latin1'), readFileSync(CODE_CACHE));
process.exitCode = rejected === false ? 0 : 1;
