/** Telling whether the process that began something still lives (proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';
import { isErrno } from '../base/errors.ts';

/** A process for good: its number together with its start time, since numbers are used again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly started: string;
}

/** The process that has this number now; undefined when none has (or it is dead and only not reaped yet). */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  // The command name, in parentheses, may contain anything: count the fields behind its last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], fields[19]];
  return started === undefined || state === 'Z' || state === 'X' ? undefined : { pid, started };
}

/** What a process calls itself (proc_pid_comm(5)): any bytes, chosen by whoever runs it. Throws Node's errors. */
export function processName(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').replace(/\n$/, '');
}

export function isAlive(process: ProcessIdentity): boolean {
  return processIdentity(process.pid)?.started === process.started;
}
