/** One call of the hook, from its input to its exit code: no process, no stdin, no environment. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { toCniError, typedError } from '../../lib/cni/errors.ts';
import { HOST_MAP } from '../../lib/cni/lists/host-map.ts';
import type { Ours } from '../../lib/cni/lists/invoke.ts';
import type { World } from '../../lib/cni/world.ts';
import { noteStore } from '../../ipam/store/known.ts';
import { attach } from './attach.ts';
import { detach } from './detach.ts';
import { parseFlags } from './flags.ts';
import type { Flags } from './flags.ts';
import { openLog, singleLine } from './log.ts';
import type { Log } from './log.ts';
import { chooseAction, readState } from './state.ts';
import type { Action, ContainerState } from './state.ts';
import type { Task } from './task.ts';

export interface HookInput {
  readonly args: readonly string[];
  readonly stdin: Buffer;
}

export interface HookAnswer {
  readonly exitCode: number;
  /** At most one line. */
  readonly stderr: string;
  /** What failed, as data; absent when nothing has, or when it was told at poststop and the rest was done. */
  readonly error?: NetmoorError;
}

export interface HookSurroundings {
  readonly world: World;
  readonly ours: Ours;
  readonly hostMap?: string;
  readonly openLog?: typeof openLog;
}

/** The CNI code for programs; for people what failed, and what to do about it. */
function complaint(error: unknown): string {
  const { code, msg, details } = toCniError(error);
  return singleLine(`error ${code}: ${details === '' ? msg : `${msg}; ${details}`}`);
}

/** The lease store of a flag is one that "netmoor gc" must know of. */
function withStore(world: World, { stateDir }: Flags): World {
  if (stateDir === undefined) return world;
  if (!stateDir.startsWith('/'))
    throw new NetmoorError('bad-config', `--state-dir ${stateDir} is not absolute`, 'begin it with "/"');
  noteStore(stateDir);
  return { ...world, storeDirectory: stateDir };
}

async function act(action: Action, task: Task, log: Log): Promise<HookAnswer> {
  const { id } = task.state;
  if (action === 'attach') {
    log.write('info', `${id} ${await attach(task)}`);
    return { exitCode: 0, stderr: '' };
  }
  if (action === 'detach') {
    const { detached, failures } = await detach(task);
    for (const failure of failures) log.write('error', `${id}: ${failure}; "netmoor gc" tries again`);
    if (detached.length > 0) log.write('info', `${id} detached from ${detached.join(', ')}`);
    return {
      exitCode: 0,
      stderr: failures.length === 0 ? '' : `netmoor-hook: ${singleLine(`${id}: ${failures.join('; ')}`)}\n`,
    };
  }
  const advice = 'list it under createRuntime and poststop';
  const stderr = `netmoor-hook: nothing to do for a container that is ${task.state.status}; ${advice}\n`;
  return { exitCode: 0, stderr };
}

/** After the container has stopped a failure can do no good: runtimes would keep what is left of the container. */
function mayFail(args: readonly string[], state: ContainerState | undefined): boolean {
  return state?.status !== 'stopped' && !args.includes('poststop') && !args.includes('detach');
}

/**
 * Runs the hook. Never throws. The exit code is 1 when the container must not start, and always 0 at poststop.
 */
export async function runHookWith(
  { args, stdin }: HookInput,
  surroundings: HookSurroundings,
): Promise<HookAnswer> {
  const open = surroundings.openLog ?? openLog;
  let log: Log | undefined;
  let state: ContainerState | undefined;
  try {
    state = readState(stdin);
    const flags = parseFlags(args);
    log = open(surroundings.world, flags.log);
    const world = withStore(surroundings.world, flags);
    const note = (line: string): void => log?.write('info', `${state?.id}: ${line}`);
    const { ours, hostMap = HOST_MAP } = surroundings;
    return await act(chooseAction(flags.stage, state), { state, flags, world, ours, note, hostMap }, log);
  } catch (error) {
    const text = complaint(error);
    (log ?? open(surroundings.world)).write('error', state === undefined ? text : `${state.id}: ${text}`);
    const exitCode = mayFail(args, state) ? 1 : 0;
    return { exitCode, stderr: `netmoor-hook: ${text}\n`, error: typedError(error) };
  }
}
