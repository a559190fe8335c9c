/** The copyright file in Debian's machine-readable format (DEP-5), of what the build has collected (licences.ts). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UNNAMED_IN_NODE } from '../build/licences.ts';
import type { Licence } from '../build/licences.ts';
import { LICENCES, ROOT } from '../build/paths.ts';
import type { Architecture } from '../build/paths.ts';

/** The continuation of a field: every line behind a space, an empty one as a full stop. */
function continued(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`)).join('\n');
}

/** The lines that say whose it is; those of other texts within are in the text itself. */
function holders(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^[\s*]+/, '').trim());
  // In capitals it is what licences call those who are not liable.
  const found = lines.filter((line) => /^(Copyright\b|\([cC]\)|©)/.test(line) && line.length < 150);
  const first = found.slice(0, 3).map((line) => line.replace(/^Copyright(:|,)?\s*/, ''));
  return first.length === 0 ? 'its authors: see the licence' : first.join('\n           ');
}

interface Paragraph {
  readonly files: string;
  readonly name: string;
  readonly licence: string;
  readonly text: string;
  readonly comment: string;
}

function format({ files, name, licence, text, comment }: Paragraph): string {
  const copyright =
    name === 'Node.js' ? 'Node.js contributors, and those that the licence names' : holders(text);
  return `Files: ${files}\nCopyright: ${copyright}\nLicense: ${licence}\n${continued(text)}\nComment: ${comment}\n`;
}

/** Debian calls the MIT licence by its words. */
function debianName(name: string, licence: string): string {
  if (name === 'Node.js') return 'Node.js';
  return licence === 'MIT' ? 'Expat' : licence;
}

/** What is in Node.js and not in its licence. */
function unnamed(): string {
  const lines = UNNAMED_IN_NODE.map(
    ({ licence, like, names }) =>
      `\n Under ${licence}, the licence of ${like} above, there are in it, too: ${names}.`,
  );
  return lines.join('');
}

function ofLicence({ name, version, licence, text }: Licence): Paragraph {
  return {
    files: `inside/${name === 'Node.js' ? 'node' : name}/*`,
    name,
    licence: debianName(name, licence),
    text,
    comment: `${name} ${version} is inside the executable netmoor.${name === 'Node.js' ? unnamed() : ''}`,
  };
}

/** The library that the launcher of a processor is linked with, and what its package in Debian says of it. */
const LIBRARIES: Readonly<Record<Architecture, { name: string; licence: string; files: readonly string[] }>> =
  {
    x64: { name: 'musl', licence: 'musl', files: ['/usr/share/doc/musl/copyright'] },
    arm64: {
      name: 'glibc',
      licence: 'LGPL-2.1+',
      files: ['/usr/share/doc/libc6-dev-arm64-cross/copyright', '/usr/share/common-licenses/LGPL-2.1'],
    },
  };

function inLauncher(arch: Architecture): Paragraph {
  const { name, licence, files } = LIBRARIES[arch];
  return {
    files: `inside/${name}/*`,
    name,
    licence,
    text: files.map((file) => readFileSync(file, 'utf8')).join('\n'),
    comment: `${name} is inside the launcher.`,
  };
}

/** The whole file; `launcher` is the processor of the launcher that comes along. */
export function copyrightFile(launcher?: Architecture): string {
  const licences = JSON.parse(readFileSync(LICENCES, 'utf8')) as Licence[];
  const own: Paragraph = {
    files: '*',
    name: 'netmoor',
    licence: 'Expat',
    text: readFileSync(join(ROOT, 'LICENSE'), 'utf8').trim(),
    comment: 'netmoor itself; what follows is what its executables have inside.',
  };
  const paragraphs = [
    own,
    ...licences.map(ofLicence),
    ...(launcher === undefined ? [] : [inLauncher(launcher)]),
  ];
  const header =
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: netmoor\n';
  return [header, ...paragraphs.map(format)].join('\n');
}
