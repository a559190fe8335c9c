/**
 * Plugin calls of many callers: those of different containers side by side, those of one container to one plugin in
 * order, each under a deadline.
 */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { configVersion, parseConfig } from '../../lib/cni/config.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import type { Answer } from '../../lib/cni/dispatch.ts';
import { errorAnswer } from '../../lib/cni/errors.ts';
import type { Plugin } from '../../lib/cni/plugin.ts';
import { CURRENT_VERSION } from '../../lib/cni/versions.ts';
import type { CniVersion } from '../../lib/cni/versions.ts';
import type { World } from '../../lib/cni/world.ts';
import { refusal } from '../../lib/engine/protocol.ts';
import type { EngineAnswer } from '../../lib/engine/protocol.ts';
import { forgetRequest } from '../../lib/system/worker.ts';
import { notForUs } from './admission.ts';
import { ANYBODY, isLaunched } from './call.ts';
import type { Call, Caller, Namespaces } from './call.ts';
import type { Counts } from './counts.ts';
import type { Outcome } from './jobs.ts';
import { Order } from './order.ts';
import { HOOK } from './programs.ts';
import type { Lanes } from './lanes.ts';
import type { Lane } from './programs.ts';
import { NotWanted, ThreadLost } from './workers.ts';
import type { WorkerPool } from './workers.ts';

/** Milliseconds that a request may take, waiting included; the runtimes give up at about the same time. */
const TIME_LIMIT = 240_000;

/** Requests that are not answered yet. */
const MOST = 2_000;

export interface RequestsOptions {
  readonly namespaces: Namespaces;
  readonly lanes: Lanes;
  readonly laneOf: (program: string) => Lane | undefined;
  /** Those that are called on the main loop. */
  readonly residents: ReadonlyMap<string, Plugin>;
  readonly world: World;
  readonly counts: Counts;
  /** A request has ended, with or without success. */
  readonly done: (call: Call, answer: Answer, milliseconds: number) => void;
}

interface Underway {
  readonly call: Call;
  readonly caller: Caller;
  readonly name: string;
  began: boolean;
  /** Its caller has been answered. */
  late: boolean;
}

/** What there is in the place of an answer. */
type Unanswered = ThreadLost | NotWanted;

/** Whether it begins: its caller may have been told that nothing was begun, or may have gone. */
function begins(underway: Underway): boolean {
  underway.began = !underway.late && underway.caller.waits();
  return underway.began;
}

/** The version of the protocol that the answer to a configuration has to be of. */
function versionOf(stdin: Buffer): CniVersion {
  try {
    return configVersion(parseConfig(stdin));
  } catch {
    return CURRENT_VERSION;
  }
}

/** A hook has no protocol to tell it by: one line for people. */
function failure(error: unknown, { program, stdin }: Call): Answer {
  if (program === HOOK) return { exitCode: 1, stdout: '', stderr: `${HOOK}: ${errorText(error)}\n` };
  const stdout = `${JSON.stringify(errorAnswer(error, versionOf(stdin)), undefined, 4)}\n`;
  return { exitCode: 1, stdout, stderr: '' };
}

function tooLate({ began, call }: Underway, seconds: number): Answer {
  const words = began
    ? 'the engine is still at work on it'
    : 'the engine was busy with earlier requests, and has not begun with it';
  const what = `${call.program} ${call.environment['CNI_COMMAND'] ?? ''}`.trim();
  return failure(new NetmoorError('try-again', `${what}: no answer within ${seconds} s`, words), call);
}

/** Whose call it is; a hook says so in the state that it is given (OCI runtime-spec, runtime.md "State"). */
function containerOf({ program, environment, stdin }: Call): string | undefined {
  if (program !== HOOK) return environment['CNI_CONTAINERID'];
  try {
    const { id } = JSON.parse(stdin.toString()) as { id?: unknown };
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}

/** Characters of an answer, so that it fits into a frame however it is escaped. */
const STDOUT = 512 * 1024;
const STDERR = 64 * 1024;

function fitting(answer: Answer, call: Call): Answer {
  const { stdout, stderr, exitCode } = answer;
  if (stdout.length > STDOUT)
    return failure(new NetmoorError('internal', `an answer of ${stdout.length} characters`), call);
  return { exitCode, stdout, stderr: stderr.slice(-STDERR) };
}

export class Requests {
  readonly #options: RequestsOptions;
  readonly #order = new Order();
  readonly #world: World;
  #number = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
    // Asked for everything once: requests differ in who works.
    this.#world = { ...options.world };
  }

  /**
   * Never throws: what goes wrong is the answer. Undefined for a caller who has gone before anything was begun, and for
   * a launcher whose request is lost with its thread. The namespace that came with the call is closed when nothing is
   * done in it any more.
   */
  async answer(call: Call, caller: Caller = ANYBODY): Promise<EngineAnswer | undefined> {
    const { namespaces, counts } = this.#options;
    const refused = notForUs(call, namespaces) ?? this.#unknown(call.program) ?? this.#tooBusy();
    if (refused !== undefined || !(await caller.take())) {
      counts.refused += 1;
      call.netns?.release();
      return refused;
    }
    this.#number += 1;
    const began = performance.now();
    const underway = { call, caller, name: `${this.#number}`, began: false, late: false };
    const found = await this.#timed(underway);
    if (found instanceof NotWanted) return this.#abandoned();
    const answer = found instanceof ThreadLost ? failure(found, call) : fitting(found, call);
    counts.served += 1;
    if (answer.exitCode !== 0) counts.failed += 1;
    this.#options.done(call, answer, performance.now() - began);
    return found instanceof ThreadLost && isLaunched(call) ? undefined : answer;
  }

  #abandoned(): undefined {
    this.#options.counts.refused += 1;
  }

  #unknown(program: string): EngineAnswer | undefined {
    const { laneOf, residents } = this.#options;
    if (residents.has(program) || laneOf(program) !== undefined) return undefined;
    return refusal('unknown-program', `the engine does not do the work of ${program}`, 'run it as a process');
  }

  #tooBusy(): EngineAnswer | undefined {
    const { running, waiting } = this.#options.counts;
    if (running + waiting < MOST) return undefined;
    return refusal('too-busy', `the engine has ${MOST} requests to answer`, 'try again');
  }

  /** The answer, or at the deadline the one that says so; what is under way goes on to its end then. */
  async #timed(underway: Underway): Promise<Answer | Unanswered> {
    const { promise, resolve } = Promise.withResolvers<Answer | Unanswered>();
    const limit = Math.min(TIME_LIMIT, underway.call.deadline);
    const timer = setTimeout(() => {
      underway.late = true;
      this.#options.counts.late += 1;
      resolve(tooLate(underway, limit / 1000));
    }, limit);
    void this.#inOrder(underway).then(resolve);
    const answer = await promise;
    clearTimeout(timer);
    return answer;
  }

  async #inOrder(underway: Underway): Promise<Answer | Unanswered> {
    const { counts } = this.#options;
    const { call } = underway;
    const container = containerOf(call);
    const key = container ? `${call.program} ${container}` : underway.name;
    counts.waiting += 1;
    try {
      return await this.#order.run(container ? key : ` ${key}`, async () => {
        counts.waiting -= 1;
        counts.running += 1;
        try {
          return await this.#run(underway);
        } finally {
          counts.running -= 1;
        }
      });
    } catch (error) {
      return error instanceof ThreadLost || error instanceof NotWanted ? error : failure(error, call);
    } finally {
      call.netns?.release();
    }
  }

  async #run(underway: Underway): Promise<Answer> {
    const { laneOf, lanes, residents } = this.#options;
    const resident = residents.get(underway.call.program);
    if (resident !== undefined) return this.#onMainLoop(resident, underway);
    const lane = laneOf(underway.call.program);
    if (lane === undefined) throw new TypeError(`no lane for ${underway.call.program}`);
    return this.#inThread(lanes[lane], underway);
  }

  async #onMainLoop(plugin: Plugin, underway: Underway): Promise<Answer> {
    if (!begins(underway)) throw new NotWanted();
    const { environment, stdin } = underway.call;
    // It has no record in hand, and leaves no note of itself: the main loop waits for no disk.
    return dispatch(plugin, { environment, readStdin: () => stdin }, this.#world);
  }

  async #inThread(pool: WorkerPool, underway: Underway): Promise<Answer> {
    const { call, name } = underway;
    const { program, args, environment, stdin } = call;
    const job = {
      is: 'plugin',
      request: name,
      program,
      args,
      environment,
      stdin,
      netns: call.netns?.fd,
    } as const;
    let outcome: Outcome;
    try {
      outcome = await pool.run(job, () => begins(underway));
    } catch (error) {
      forgetRequest(name);
      throw error;
    }
    if ('answer' in outcome) return outcome.answer;
    if ('error' in outcome) throw restored(outcome.error);
    throw new TypeError('a thread answered something else than it was asked for');
  }
}

/** An error that came from another thread. */
export function restored({
  kind,
  message,
  details,
}: NetmoorError | Extract<Outcome, { error: unknown }>['error']): NetmoorError {
  return new NetmoorError(kind, message, details);
}
