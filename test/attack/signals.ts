/**
 * Stopping, resuming and killing what runs in a host. It is started by nsenter, which forks, stops itself when its
 * command has stopped, and has to be resumed with it (util-linux, lib/exec_shell.c and sys-utils/nsenter.c,
 * continue_as_child()).
 */
import { readFileSync } from 'node:fs';
import { until } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';

/** The third field of proc(5) `stat`, behind the name, which may hold anything; undefined when the process is gone. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
  } catch {
    return undefined;
  }
}

/** The command that nsenter runs; undefined before it has begun, and when it has ended. */
function commandOf({ child: { pid } }: Background): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined;
  }
}

function signal(pid: number | undefined, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean {
  try {
    return pid !== undefined && process.kill(pid, name);
  } catch {
    return false;
  }
}

export function isStopped(what: Background): boolean {
  const pid = commandOf(what);
  return pid !== undefined && stateOf(pid) === 'T';
}

/** Resumes the command; resolves when it runs again, or has ended. */
export async function resume(what: Background): Promise<void> {
  const stopped = (): number[] =>
    [what.child.pid, commandOf(what)].flatMap((pid) =>
      pid !== undefined && stateOf(pid) === 'T' ? [pid] : [],
    );
  // A stop may be on its way to nsenter while the command is resumed.
  const runs = (): boolean => stopped().filter((pid) => signal(pid, 'SIGCONT')).length === 0;
  await until(runs, 'a stopped process runs again', 30_000);
}

/** False when there is nothing to stop: it has not begun, or has ended. Resolves when both it and nsenter stand. */
export async function stop(what: Background): Promise<boolean> {
  if (!signal(commandOf(what), 'SIGSTOP')) return false;
  const stand = (): boolean => isStopped(what) && stateOf(what.child.pid ?? 0) === 'T';
  await until(() => what.ended || stand(), 'a process stands', 30_000);
  return !what.ended;
}

/** Kills the command wherever it stands, stopped or not. False when there is nothing to kill. */
export function kill(what: Background): boolean {
  const killed = signal(commandOf(what), 'SIGKILL');
  signal(what.child.pid, 'SIGCONT');
  return killed;
}

/** For the end of a test, whatever became of the process. */
export async function end(what: Background): Promise<void> {
  while (!what.ended) {
    kill(what);
    await Promise.race([what.end(), until(() => what.ended, 'the end of a process', 100).catch(() => {})]);
  }
}
