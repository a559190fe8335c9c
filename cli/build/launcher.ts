/**
 * The launcher (lib/launcher/launcher.c): static, so that it starts in a fraction of a millisecond. musl makes 40 KB of
 * it where glibc makes 600, for a processor that Debian has no musl for beside the host's own.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CURRENT_VERSION, versionAnswer } from '../../lib/cni/versions.ts';
import { ANSWER_MS, MAGIC, TAKEN, TAKE_MS } from '../../lib/engine/launcher-frame.ts';
import { ENGINE_SOCKET, FRAME_BYTES } from '../../lib/engine/protocol.ts';
import { VERSION } from '../../lib/engine/request.ts';
import { ROOT, WORK } from './paths.ts';
import type { Architecture, Target } from './paths.ts';

/** Of stdin, as lib/cni/json.ts accepts. */
const STDIN_BYTES = 1024 * 1024;

export const SOURCE = join(ROOT, 'lib/launcher/launcher.c');

/** What compiles for a processor, and the Debian packages that have it. */
const COMPILERS: Readonly<Record<Architecture, readonly [program: string, from: string]>> = {
  x64: [process.env['CC'] ?? 'musl-gcc', 'musl-tools'],
  arm64: ['aarch64-linux-gnu-gcc', 'gcc-aarch64-linux-gnu and libc6-dev-arm64-cross'],
};

export const WARNINGS = ['-std=c17', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror'];

/** C's string literals and JSON's are the same for what is in these. */
function define(name: string, value: string | number): string {
  return `#define ${name} ${JSON.stringify(value)}\n`;
}

/** What C has to know, from where TypeScript has it. Returns the directory of the header. */
export function writeFacts(directory = WORK, socket = ENGINE_SOCKET): string {
  const facts = { VERSION, VERSION_ANSWER: versionAnswer(), CURRENT_VERSION, SOCKET: socket, MAGIC };
  const names = { PROGRAM: 'netmoor', HOOK: 'netmoor-hook' };
  const limits = { STDIN_BYTES, FRAME_BYTES, TAKE_MS, ANSWER_MS };
  const bytes = { TAKEN: TAKEN.charCodeAt(0) };
  const lines = Object.entries({ ...facts, ...names, ...limits, ...bytes }).map((fact) => define(...fact));
  writeFileSync(join(directory, 'launcher-facts.h'), lines.join(''));
  return directory;
}

/** `from`: the Debian packages that have the compiler. */
export function compile(compiler: string, args: readonly string[], from = 'musl-tools'): void {
  const { error, status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (error)
    throw new Error(`${compiler} cannot be started (${error.message}): install ${from}, or npm run setup`);
  if (status !== 0) throw new Error(`${compiler} failed:\n${stderr}`);
}

/** The launcher of a target. CC names another compiler, for the first target. */
export function makeLauncher({ arch, launcher, work }: Omit<Target, 'node' | 'koffi' | 'bin'>): void {
  mkdirSync(work, { recursive: true });
  const partial = `${launcher}.partial`;
  const [compiler, from] = COMPILERS[arch];
  const flags = ['-D_GNU_SOURCE', ...WARNINGS, '-Os', '-static', '-s', '-fno-ident', '-Wl,--build-id=none'];
  compile(compiler, [...flags, `-I${writeFacts(work)}`, '-o', partial, SOURCE], from);
  renameSync(partial, launcher);
}
