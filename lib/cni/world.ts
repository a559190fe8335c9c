/**
 * Everything a request may see or touch that is not in the request: clock, randomness, namespaces, files, other
 * programs. Tests put their own in its place; `real-world.ts` is the one that works.
 */
import type { Environment } from './environment.ts';
import type { Netns } from '../system/netns.ts';
import type { WithProcfs } from '../system/procfs.ts';
import type { ProcessIdentity } from '../system/process.ts';
import type { Worker } from '../system/worker.ts';

/** What is started, and what it is told that it is called. */
export interface Program {
  readonly file: string;
  readonly args?: readonly string[];
  /** Default: the file. */
  readonly argv0?: string;
}

export interface Execution {
  readonly environment: Environment;
  readonly stdin: Buffer;
  /** Milliseconds after which the program is killed. */
  readonly timeLimit: number;
}

export interface Outcome {
  /** 0-255; undefined when the program was killed. */
  readonly exitCode: number | undefined;
  /** The signal that killed it, or "time limit". */
  readonly killedBy?: string;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Small files, such as network configurations and cached results: at most FILE_BYTES each. Throws Node's errors. */
export interface Files {
  /** Names of the files in a directory, sorted, its subdirectories left out; none when there is no such directory. */
  readonly list: (directory: string) => readonly string[];
  /** Undefined when there is no such file. Throws NetmoorError('io') when it is too large, or no regular file. */
  readonly read: (file: string) => Buffer | undefined;
  /** Replaces the file in one step, readable by root alone, its directories made where needed. */
  readonly write: (file: string, content: Buffer) => void;
  /** Absence is fine. */
  readonly remove: (file: string) => void;
}

export interface World {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets, for deadlines. */
  readonly monotonic: () => number;
  readonly random: (bytes: number) => Buffer;
  readonly bootId: string;
  /** /etc/machine-id, or the boot id on a host without one: what makes automatic choices differ between hosts. */
  readonly machineId: string;
  /**
   * Stands for the machine in the lease store, which root alone may read; '' for one without an id: the boot id, taken
   * instead, changes with every boot, so that nothing of an earlier one would ever be its own.
   */
  readonly hostId: string;
  /** Where the lease store is, unless the config says otherwise. */
  readonly storeDirectory: string;
  readonly pid: number;
  /** Who works on this request, to be named in what it leaves half done. */
  readonly worker: Worker | undefined;
  /** Whether another such worker still is at work. */
  readonly isAtWork: (worker: Worker) => boolean;
  /** A named step has been reached; the crash tests die here. */
  readonly step: (name: string) => void;
  /** Blocks for some milliseconds: only for conditions of which the kernel sends no event. */
  readonly pause: (milliseconds: number) => void;
  /** "device:inode" of the namespace the plugin works in. */
  readonly ownNetnsId: () => string;
  /** Throws NetmoorError('bad-netns') when there is no namespace at this path. */
  readonly openNetns: (path: string) => Netns;
  readonly closeNetns: (netns: Netns) => void;
  readonly withProcfs: WithProcfs;
  readonly isExecutable: (file: string) => boolean;
  /** A plugin that the running executable is under another name; for those that CNI_PATH does not have. */
  readonly ownProgram?: (type: string) => Program | undefined;
  /** Runs a program to its end. Throws an error with an errno name as `code` when it cannot be started. */
  readonly execute: (program: Program, execution: Execution) => Outcome;
  /**
   * Text of a regular file, at most its first 64 KiB, such as resolv.conf. Throws Node's errors, and NetmoorError('io')
   * for anything else that is there.
   */
  readonly readText: (file: string) => string;
  readonly files: Files;
  /** Where runtimes keep the results of their attachments (libcni's cache). */
  readonly resultsDirectory: string;
  /** The process that has this number now; undefined when none has. */
  readonly processIdentity: (pid: number) => ProcessIdentity | undefined;
  /**
   * What lasts from one request to the next, by a name of its own: made when it is first asked for. Absent where a
   * process serves one request.
   */
  readonly keep?: <T extends object>(name: string, make: () => T) => T;
  /**
   * Runs `work` as soon as the caller has his answer; that it fails is nobody's concern. Absent where the process ends
   * with its answer.
   */
  readonly afterwards?: ((work: () => void) => void) | undefined;
  /**
   * Does `what` once for all requests that are worked on at the same time and want it: `all` is called with the items
   * of all of them. Rejects with what it throws. Absent where a request is alone.
   */
  readonly together?:
    | (<T>(what: string, item: T, all: (items: readonly T[]) => void) => Promise<void>)
    | undefined;
}
