/** `npm run build`: schemas, launcher, bundles, code cache, executables. */
import { mkdirSync } from 'node:fs';
import { compileSchemas } from '../../schemas/compile.ts';
import { bundle } from './bundle.ts';
import { makeCodeCaches } from './code-cache.ts';
import { packExecutables } from './executable.ts';
import { WORK } from './paths.ts';

mkdirSync(WORK, { recursive: true });
await compileSchemas();
// What validates is there from here on.
const { makeLauncher } = await import('./launcher.ts');
makeLauncher();
await bundle();
makeCodeCaches();
const { PROGRAMS } = await import('../programs.ts');
packExecutables([...PROGRAMS.keys()]);
