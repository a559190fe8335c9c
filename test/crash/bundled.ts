/**
 * Programs of the tests in one file each: where dozens of processes are started, stripping types would take most of
 * their time.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** Inside the project, where the program finds what it loads at run time; it goes with this process. */
const DIRECTORY = fileURLToPath(new URL(`../../dist/test/${process.pid}`, import.meta.url));
process.once('exit', () => rmSync(DIRECTORY, { recursive: true, force: true }));

/**
 * Bundles `name`.ts of this folder and returns the path of the outcome; into `directory` if it must not be the usual
 * one.
 */
export function bundled(name: string, directory = DIRECTORY): string {
  const outfile = join(directory, `${name}.mjs`);
  buildSync({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    // netlink is CommonJS and asks for Node's modules by require().
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return outfile;
}
