/**
 * Starting the engine when nobody has, by the plugin that needs it. The engines themselves see to it that there is one
 * (cli/engine/one.ts); here only a crowd of plugins is kept from starting a crowd of them.
 */
import { closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../base/errors.ts';
import { FileLock } from '../system/lock.ts';
import type { Patience } from '../system/lock.ts';
import { pipe } from '../system/pipe.ts';
import { waitReadable } from '../system/syscall.ts';
import { connectEngine } from './client.ts';
import { EngineError } from './errors.ts';
import { placesIn, secureDirectory } from './places.ts';
import type { EnginePlaces } from './places.ts';

/** A program and its arguments; it is told that it is "netmoor". */
export interface EngineCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/** Seconds without a lease or a request after which an engine goes that nobody asked for by name. */
const IDLE_SECONDS = 300;

/** The file descriptor of the pipe in the new process. */
const READY_FD = 3;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** This very executable; from source, the interpreter and cli/main.ts. */
export function engineCommand(): EngineCommand {
  const sea = process.getBuiltinModule('node:sea') as { isSea(): boolean };
  const source = sea.isSea() ? [] : [join(import.meta.dirname, '../../cli/main.ts')];
  const args = ['engine', '--idle-exit', String(IDLE_SECONDS), '--ready-fd', String(READY_FD)];
  return { file: process.execPath, args: [...source, ...args] };
}

/** Throws EngineError 'hostile' and 'late'. */
function isThere({ socket }: EnginePlaces, left: () => number): boolean {
  try {
    connectEngine(socket, left).close();
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.trouble === 'absent') return false;
    throw error;
  }
}

function cannotStart(why: string): EngineError {
  return new EngineError(
    'absent',
    `the engine cannot be started: ${why}`,
    '"netmoor engine" starts it in the foreground, and says more',
  );
}

/** One line that the new process writes once it listens, or has found that another does; else what is wrong. */
function readLine(fd: number, left: () => number): string {
  const chunks: Buffer[] = [];
  const chunk = Buffer.allocUnsafe(4096);
  while (waitReadable(fd, left(), 'wait for the engine')) {
    const count = readSync(fd, chunk, 0, chunk.length, null);
    chunks.push(Buffer.from(chunk.subarray(0, count)));
    const text = Buffer.concat(chunks).toString();
    if (count === 0 || text.includes('\n')) return text.trim() || 'it ended';
  }
  return 'it took too long';
}

/**
 * A session of its own, nothing open but the pipe, no environment of the caller's: it outlives us, and works for
 * others.
 */
function start({ file, args }: EngineCommand, left: () => number): void {
  const { spawn } = process.getBuiltinModule('node:child_process');
  const { read, write } = pipe('wait for the engine');
  try {
    const child = spawn(file, args, {
      argv0: 'netmoor',
      cwd: '/',
      detached: true,
      env: { PATH },
      stdio: ['ignore', 'ignore', 'ignore', write],
    });
    child.on('error', () => {});
    child.unref();
    closeSync(write);
    if (child.pid === undefined) throw cannotStart(`${file} cannot be executed`);
    const line = readLine(read, left);
    if (line === 'ready') return;
    if (left() <= 0) child.kill('SIGKILL');
    throw cannotStart(line);
  } finally {
    closeSync(read);
  }
}

/**
 * Returns when an engine listens, within `limit` milliseconds. Throws EngineError: 'absent' with the reason when none
 * can be started, 'hostile', 'late'; NetmoorError 'try-again' when others have been starting one for too long.
 */
export function ensureEngine(
  patience: Patience,
  limit: number,
  command: EngineCommand = engineCommand(),
  places: EnginePlaces = placesIn(),
): void {
  const end = patience.monotonic() + limit;
  const left = (): number => end - patience.monotonic();
  if (isThere(places, left)) return;
  prepare(places);
  const turn = FileLock.acquire(places.starter, patience, limit);
  try {
    if (!isThere(places, left)) start(command, left);
  } finally {
    turn.release();
  }
}

function prepare(places: EnginePlaces): void {
  try {
    secureDirectory(places);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw cannotStart(errorText(error));
  }
}
