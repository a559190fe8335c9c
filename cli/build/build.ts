/** `npm run build [-- --arch arm64]`: schemas, launcher, bundles, licences, code cache, executables. */
import { mkdirSync } from 'node:fs';
import { compileSchemas } from '../../schemas/compile.ts';
import { bundle } from './bundle.ts';
import { makeCodeCaches } from './code-cache.ts';
import { packExecutables } from './executable.ts';
import { collectLicences } from './licences.ts';
import { targetOf } from './paths.ts';
import { installPlatform } from './platform.ts';

const target = targetOf(process.argv.slice(2));
mkdirSync(target.work, { recursive: true });
await compileSchemas();
installPlatform(target);
// What validates is there from here on.
const { makeLauncher } = await import('./launcher.ts');
makeLauncher(target);
await bundle();
collectLicences();
// V8 makes code caches for the processor that it runs on.
if (target.arch === process.arch) makeCodeCaches();
const { PROGRAMS } = await import('../programs.ts');
packExecutables([...PROGRAMS.keys()], target);
