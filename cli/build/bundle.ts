/**
 * Bundles the program in two stages. The first, start.cjs, is cli/main.ts with what it imports statically: it answers VERSION by
 * itself. Every module that it imports dynamically goes into the second, programs.js, which comes with a code cache; in the
 * first stage such an import becomes a look-up in it.
 */
import { join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, Plugin } from 'esbuild';
import { PROGRAMS, ROOT, START } from './paths.ts';

const OPTIONS: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  // The loader reads the text as Latin-1.
  charset: 'ascii',
  minify: true,
  keepNames: false,
  legalComments: 'none',
  logLevel: 'warning',
  // import() needs a loader of its own in a single executable; require() does not.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.dirname': '__dirname' },
};

const STAGE = 'second-stage';
const LOADER = join(ROOT, 'cli/build/second-stage.ts');

/** Turns dynamic imports of our own modules into look-ups, and notes the modules in `wanted`. */
function secondStage(wanted: Set<string>): Plugin {
  return {
    name: STAGE,
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const module = relative(ROOT, resolve(resolveDir, path));
        wanted.add(module);
        return { namespace: STAGE, path: module };
      });
      onResolve({ filter: /^second-stage$/ }, () => ({ namespace: STAGE, path: STAGE }));
      onLoad({ filter: /.*/, namespace: STAGE }, ({ path }) => ({
        contents:
          path === STAGE
            ? `module.exports = require(${JSON.stringify(LOADER)}).loadSecondStage();`
            : `module.exports = require('${STAGE}')[${JSON.stringify(path)}]();`,
        resolveDir: ROOT,
      }));
    },
  };
}

/** Writes start.cjs and programs.js. */
export async function bundle(): Promise<void> {
  const wanted = new Set<string>();
  await build({ ...OPTIONS, entryPoints: ['cli/main.ts'], outfile: START, plugins: [secondStage(wanted)] });
  const modules = [...wanted].sort().map((module) => JSON.stringify(module));
  const contents = modules
    .map((module) => `exports[${module}] = () => require('./' + ${module});`)
    .join('\n');
  await build({
    ...OPTIONS,
    stdin: { contents, resolveDir: ROOT, sourcefile: 'programs.js' },
    outfile: PROGRAMS,
  });
}
