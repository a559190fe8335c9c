/**
 * The world as it is. Nothing is read before it is asked for, and Node's modules for programs and randomness, which
 * take milliseconds to load, are not loaded before they are used.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { NetmoorError } from '../base/errors.ts';
import { closeNetns, openNetns, ownNetnsId } from '../system/netns.ts';
import { PROC } from '../system/procfs.ts';
import { processIdentity } from '../system/process.ts';
import { isAtWork } from '../system/worker.ts';
import { files } from './files.ts';
import { ownProgram } from './own-programs.ts';
import { quote } from './quote.ts';
import type { Execution, Outcome, Program, World } from './world.ts';

/** A plugin's answer is one JSON document, its complaints a few lines. */
const OUTPUT_BYTES = 4 * 1024 * 1024;
const TEXT_BYTES = 64 * 1024;

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function execute(
  { file, args = [], argv0 = file }: Program,
  { environment, stdin, timeLimit }: Execution,
): Outcome {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const done = spawnSync(file, [...args], {
    argv0,
    env: { ...environment },
    input: stdin,
    timeout: timeLimit,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES,
  });
  const timedOut = done.error !== undefined && 'code' in done.error && done.error.code === 'ETIMEDOUT';
  // EPIPE: the program ended without reading its input, which is its own affair.
  const ended = done.status !== null || done.signal !== null;
  if (done.error !== undefined && !ended) throw done.error;
  return {
    exitCode: done.status ?? undefined,
    stdout: done.stdout,
    stderr: done.stderr.toString(),
    ...(done.status === null ? { killedBy: timedOut ? 'time limit' : (done.signal ?? 'unknown') } : {}),
  };
}

/** O_NONBLOCK: the other end of a FIFO would otherwise be waited for. */
function readText(file: string): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile())
      throw new NetmoorError('io', `${quote(file)} is no regular file`, 'name one, or leave it out');
    const buffer = Buffer.alloc(TEXT_BYTES);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null);
    }
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** machine-id(5) may be missing or empty, early in the life of an image. */
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim() || bootId();
  } catch {
    return bootId();
  }
}

/** What does not change while a process lives, found out when it is first asked for. */
function once<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => {
    found ??= { value: find() };
    return found.value;
  };
}

export function realWorld(): World {
  const boot = once(bootId);
  const machine = once(machineId);
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    random: (bytes) => process.getBuiltinModule('node:crypto').randomBytes(bytes),
    get bootId() {
      return boot();
    },
    get machineId() {
      return machine();
    },
    get hostId() {
      return machine() === boot() ? '' : machine();
    },
    storeDirectory: '/var/lib/cni/netmoor',
    pid: process.pid,
    get worker() {
      return processIdentity(process.pid);
    },
    isAtWork: (worker) => isAtWork(worker),
    step: () => {},
    pause,
    ownNetnsId,
    openNetns,
    closeNetns,
    withProcfs: (work) => work(PROC),
    isExecutable,
    ownProgram,
    execute,
    readText,
    files,
    resultsDirectory: '/var/lib/cni/results',
    processIdentity,
  };
}
