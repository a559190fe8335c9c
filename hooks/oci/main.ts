/**
 * netmoor-hook: the edge of its process. It reads its arguments and stdin and nothing else: runtimes start hooks with
 * whatever environment they happen to have, or with none. Stdin comes first, whatever follows: crun before 1.17 fails
 * when a hook ends without having read it.
 */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { readStdin } from '../../lib/cni/entry.ts';
import type { HookAnswer, HookInput, HookSurroundings } from './hook.ts';

export interface HookInvocation {
  /** The arguments behind the program's name. */
  readonly args: readonly string[];
}

const STDIN = 0;
const STDERR = 2;

/** Prints the line, if anybody is there to read it, and ends the process. */
function finish({ exitCode, stderr }: HookAnswer): never {
  try {
    if (stderr !== '') writeSync(STDERR, stderr);
  } catch {
    // The log has it.
  }
  process.exit(exitCode);
}

/** One call in the real world; `changes` to it are for who rehearses. */
export async function answerHook(
  input: HookInput,
  changes: Partial<HookSurroundings> = {},
): Promise<HookAnswer> {
  const { runHookWith } = await import('./hook.ts');
  const { KINDS, pluginsOf } = await import('../../plugins/kinds.ts');
  const { realWorld } = await import('../../lib/cni/real-world.ts');
  return runHookWith(input, { world: realWorld(), ours: pluginsOf(KINDS), ...changes });
}

/** Runs this process as the hook. */
export async function runHook({ args }: HookInvocation): Promise<never> {
  const stdin = isatty(STDIN) ? Buffer.alloc(0) : await readStdin();
  if (!args.includes('--help')) return finish(await answerHook({ args, stdin }));
  const { USAGE } = await import('./usage.ts');
  return finish({ exitCode: 0, stderr: USAGE });
}
