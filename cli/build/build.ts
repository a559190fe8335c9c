/** `npm run build`: schemas, bundles, code cache, executables. */
import { mkdirSync } from 'node:fs';
import { compileSchemas } from '../../schemas/compile.ts';
import { bundle } from './bundle.ts';
import { makeCodeCaches } from './code-cache.ts';
import { packExecutables } from './executable.ts';
import { WORK } from './paths.ts';

mkdirSync(WORK, { recursive: true });
await compileSchemas();
await bundle();
makeCodeCaches();
const { PROGRAMS } = await import('../programs.ts');
packExecutables([...PROGRAMS.keys()]);
