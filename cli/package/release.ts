/** What is packed: version, time and target. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../build/paths.ts';
import type { Architecture, Target } from '../build/paths.ts';

export interface Release {
  readonly version: string;
  /** Seconds since 1970: every time in a package. */
  readonly epoch: number;
  readonly target: Target;
}

/** As Debian calls processors. */
export const DEBIAN_ARCHITECTURES: Readonly<Record<Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

/** 2026-01-01, for sources that are not in git. */
const NO_COMMIT = 1_767_225_600;

/** SOURCE_DATE_EPOCH (reproducible-builds.org), else the time of the last commit. */
function epochOf(environment: NodeJS.ProcessEnv): number {
  const given = environment['SOURCE_DATE_EPOCH'];
  if (given !== undefined) {
    if (!/^\d{1,11}$/.test(given)) throw new Error(`SOURCE_DATE_EPOCH is no number of seconds: ${given}`);
    return Number(given);
  }
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' });
  return status === 0 && stdout.trim() !== '' ? Number(stdout) : NO_COMMIT;
}

export function releaseOf(target: Target, environment: NodeJS.ProcessEnv): Release {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return { version, epoch: epochOf(environment), target };
}

/** Runs a program that must succeed; its standard output. */
export function must(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC', ...env },
  });
  if (error) throw new Error(`${program} cannot be started: ${error.message}`);
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} failed:\n${stderr}`);
  return stdout;
}
