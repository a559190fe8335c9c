/** The launcher, built to be looked at by sanitizers, beside a stand-in for the one-shot executable. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { SOURCE, WARNINGS, compile, writeFacts } from '../../cli/build/launcher.ts';

export const SANITIZED = [
  '-D_GNU_SOURCE',
  ...WARNINGS,
  '-O1',
  '-g',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover',
];

/** Says who it is called as, its arguments, and what it reads. */
const STANDIN = '#!/bin/sh\nprintf "alone %s\\n" "$*"; cat\nexit 7\n';

export interface Launched {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Ship {
  readonly directory: string;
  /** Where the engine would listen. */
  readonly socket: string;
  run(
    name: string,
    how: { args?: string[]; env?: Record<string, string>; input?: string | Buffer },
  ): Promise<Launched>;
}

export const LEAK_CHECK = {
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0:exitcode=99',
  UBSAN_OPTIONS: 'exitcode=99',
};

/** A directory with the launcher, links to it, and a stand-in for netmoor. */
export function build(t: Test): Ship {
  const directory = mkdtempSync(join(tmpdir(), 'launcher-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const socket = join(directory, 'e.sock');
  mkdirSync(join(directory, 'bin'));
  const launcher = join(directory, 'bin/launcher');
  compile('cc', [...SANITIZED, `-I${writeFacts(directory, socket)}`, '-o', launcher, SOURCE]);
  writeFileSync(join(directory, 'bin/netmoor'), STANDIN);
  chmodSync(join(directory, 'bin/netmoor'), 0o755);
  for (const name of ['bridge-nat', 'netmoor-hook']) symlinkSync('bin/launcher', join(directory, name));
  return {
    directory,
    socket,
    run: async (name, { args = [], env = {}, input = '' }) => {
      const child = spawn(join(directory, name), args, {
        env: { PATH: '/bin:/usr/bin', ...LEAK_CHECK, ...env },
      });
      const said = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      child.stdout.on('data', (chunk: Buffer) => said.stdout.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => said.stderr.push(chunk));
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
      const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString();
      return { code, stdout: text(said.stdout), stderr: text(said.stderr) };
    },
  };
}
