/**
 * Bundles the program in two stages. The first, start.cjs, is cli/main.ts with what it imports statically: it answers
 * VERSION by itself. Every module that it imports dynamically goes into the second, which comes with a code cache; in
 * the first stage such an import becomes a look-up in it.
 */
import { writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import type { BuildOptions, Metafile, Plugin } from 'esbuild';
import {
  emptyTable,
  insideRules,
  refuseDhcpServer,
  refuseRouter,
} from '../../lib/nftables/guard/inside-skeleton.ts';
import type { EncodedMessage } from '../../lib/nftables/message.ts';
import { RULE_END, anchorRequests, ruleEnds, skeleton } from '../../lib/nftables/skeleton.ts';
import { NFPROTO_NETDEV } from '../../lib/nftables/message.ts';
import { FAMILIES } from '../../lib/nftables/tables.ts';
import { WRAPPER } from './evaluate.ts';
import { INPUTS, PLUGINS, PROGRAMS, ROOT, START, WORKER } from './paths.ts';
import type { StageFiles } from './paths.ts';

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
  metafile: true,
  // import() needs a loader of its own in a single executable; require() does not.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.dirname': '__dirname' },
};

const STAGE = 'second-stage';
const LOADER = join(ROOT, 'cli/build/second-stage.ts');

/** Turns dynamic imports of our own modules into look-ups, and notes the modules in `wanted` under who imports them. */
function secondStage(wanted: Map<string, string>): Plugin {
  return {
    name: STAGE,
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ importer, kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const module = relative(ROOT, resolve(resolveDir, path));
        wanted.set(module, relative(ROOT, importer));
        return { namespace: STAGE, path: module };
      });
      onResolve({ filter: /^second-stage$/ }, () => ({ namespace: STAGE, path: STAGE }));
      onLoad({ filter: /.*/, namespace: STAGE }, ({ path }) => ({
        contents:
          path === STAGE
            ? `module.exports = require(${JSON.stringify(LOADER)}).openSecondStage();`
            : `module.exports = require('${STAGE}')(${JSON.stringify(path)});`,
        resolveDir: ROOT,
      }));
    },
  };
}

/** The families whose tables netmoor builds. */
const BUILT = [...FAMILIES, NFPROTO_NETDEV];

/** A function that returns the same messages as bytes. */
function asBytes(encode: (family: number) => EncodedMessage[]): string {
  const messages = BUILT.map((family) => [
    family,
    encode(family).map(({ name, flags, encoded }) => [name, flags, Buffer.from(encoded).toString('base64')]),
  ]);
  return `export function ${encode.name}(family) {
    return ${JSON.stringify(Object.fromEntries(messages))}[family].map(([name, flags, bytes]) =>
      ({ name, flags, encoded: Buffer.from(bytes, 'base64') }));
  }`;
}

/** The same of a function without parameters. */
function constantBytes(encode: () => EncodedMessage[]): string {
  const messages = encode().map(({ name, flags, encoded }) => [
    name,
    flags,
    Buffer.from(encoded).toString('base64'),
  ]);
  return `export function ${encode.name}() {
    return ${JSON.stringify(messages)}.map(([name, flags, bytes]) =>
      ({ name, flags, encoded: Buffer.from(bytes, 'base64') }));
  }`;
}

/** Puts the bytes of the nftables skeleton in the place of what makes them. */
const precomputed: Plugin = {
  name: 'precomputed',
  setup({ onLoad }) {
    onLoad({ filter: /\/lib\/nftables\/skeleton\.ts$/ }, () => {
      const ends = Object.fromEntries(BUILT.map((family) => [family, ruleEnds(family)]));
      const texts = [
        `export const RULE_END = ${RULE_END};`,
        `export function ruleEnds(family) { return ${JSON.stringify(ends)}[family]; }`,
      ];
      return { contents: [...[skeleton, anchorRequests].map(asBytes), ...texts].join('\n') };
    });
    onLoad({ filter: /\/lib\/nftables\/guard\/inside-skeleton\.ts$/ }, () => {
      const constants = [emptyTable, insideRules, refuseRouter, refuseDhcpServer];
      return { contents: constants.map(constantBytes).join('\n') };
    });
  },
};

type Bundle = { readonly metafile?: Metafile | undefined };

export interface BundleOptions {
  readonly minify: boolean;
  /** Where a file of the build goes. */
  readonly place: (file: string) => string;
}

async function bundleStage(
  { name, source }: StageFiles,
  modules: readonly string[],
  { minify, place }: BundleOptions,
): Promise<Bundle> {
  const contents = modules
    .toSorted()
    .map((module) => JSON.stringify(module))
    .map((module) => `exports[${module}] = () => require('./' + ${module});`)
    .join('\n');
  return build({
    ...OPTIONS,
    minify,
    banner: { js: WRAPPER[0] },
    footer: { js: WRAPPER[1] },
    plugins: [precomputed],
    stdin: { contents, resolveDir: ROOT, sourcefile: `${name}.js` },
    outfile: place(source),
  });
}

/** The files of which something is in a bundle, relative to ROOT. */
function inputsOf({ metafile }: Bundle): string[] {
  const outputs = Object.values(metafile?.outputs ?? {});
  return outputs.flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
}

/** Writes start.cjs, the first stage of the engine's threads, the second stages, and what all of them are made of. */
export async function bundle(
  options: BundleOptions = { minify: true, place: (file) => file },
): Promise<void> {
  const { minify, place } = options;
  const wanted = new Map<string, string>();
  const bundles: Bundle[] = [];
  for (const [entry, outfile] of [
    ['cli/main.ts', START],
    ['cli/engine/worker-main.ts', WORKER],
  ] as const)
    bundles.push(
      await build({
        ...OPTIONS,
        minify,
        entryPoints: [entry],
        outfile: place(outfile),
        plugins: [secondStage(wanted)],
      }),
    );
  const modules = [...wanted.keys()];
  bundles.push(await bundleStage(PROGRAMS, modules, options));
  // What every plugin needs is what lib/cni/entry.ts imports.
  const common = modules.filter((module) => wanted.get(module) === 'lib/cni/entry.ts');
  for (const stage of PLUGINS)
    bundles.push(await bundleStage(stage, [...common, `plugins/${stage.name}/main.ts`], options));
  const inputs = [...new Set(bundles.flatMap(inputsOf))].toSorted();
  writeFileSync(place(INPUTS), `${JSON.stringify(inputs, undefined, 2)}\n`);
}
