/**
 * `npm run package [-- --arch arm64]`: leaves in dist/package a self-contained archive, a Debian package, and an
 * archive without Node.js. The same
 * commit makes the same bytes: every time in them is SOURCE_DATE_EPOCH, else that of the commit.
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { NODE, ROOT, targetOf } from '../build/paths.ts';
import { makeBundle } from './bundle.ts';
import { makeDeb } from './deb.ts';
import { releaseOf } from './release.ts';
import { makeTarball } from './tarball.ts';

const target = targetOf(process.argv.slice(2));
// Our own has been built by now (.ci/setup.js).
if (target.arch !== process.arch) {
  const args = [join(ROOT, 'cli/build/build.ts'), '--arch', target.arch];
  if (spawnSync(NODE, args, { stdio: 'inherit' }).status !== 0) throw new Error('the build failed');
}
const release = releaseOf(target, process.env);
const out = join(ROOT, 'dist/package');
for (const file of [await makeTarball(release, out), await makeDeb(release, out), makeBundle(release, out)])
  console.log(`${relative(ROOT, file)}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
