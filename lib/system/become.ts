/** Turning into another program (execve(2)), in whatever namespaces the calling thread is in. */
import { NetmoorError, isErrno } from '../base/errors.ts';
import { retried } from './syscall.ts';

const SIGPIPE = 13;
const SIGXFSZ = 25;
const SIG_DFL = 0;

/** Node ignores these two, which a program would inherit: `yes | head` would not end. */
function restoreSignals(): void {
  for (const signal of [SIGPIPE, SIGXFSZ])
    retried('restore signals', (libc) => libc.call('intptr_t signal(int, intptr_t)', signal, SIG_DFL));
}

function candidates(command: string, path: string): string[] {
  if (command.includes('/')) return [command];
  return path.split(':').map((directory) => `${directory === '' ? '.' : directory}/${command}`);
}

/**
 * Replaces this process by `command`, looked for along PATH as a shell would. Returns never; throws NetmoorError: 'io'
 * when there is no such program, 'privilege' when there is one that may not be executed.
 */
export function become(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): never {
  const path = environment['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const given = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  restoreSignals();
  let forbidden: unknown;
  for (const file of candidates(command, path)) {
    try {
      process.execve?.(file, [command, ...args], Object.fromEntries(given));
    } catch (error) {
      if (isErrno(error, 'EACCES')) forbidden ??= error;
      else if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  if (forbidden !== undefined)
    throw new NetmoorError('privilege', `${command} cannot be executed`, 'check its permissions', {
      cause: forbidden,
    });
  throw new NetmoorError('io', `there is no program ${command}`, 'give its path, or the name of one in PATH');
}
