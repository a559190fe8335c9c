/** `npm run build`: schemas, launcher, bundles, code cache, executables. */
import { mkdirSync } from 'node:fs';
import { compileSchemas } from '../../schemas/compile.ts';
import { bundle } from './bundle.ts';
import { makeCodeCaches } from './code-cache.ts';
import { packExecutables } from './executable.ts';
import { makeLauncher } from './launcher.ts';
import { WORK } from './paths.ts';

mkdirSync(WORK, { recursive: true });
await compileSchemas();
makeLauncher();
await bundle();
makeCodeCaches();
const { PROGRAMS } = await import('../programs.ts');
packExecutables([...PROGRAMS.keys()]);
