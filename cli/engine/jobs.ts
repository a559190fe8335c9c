/** What the engine's main loop and its threads say to each other. */
import type { Answer } from '../../lib/cni/dispatch.ts';
import type { Environment } from '../../lib/cni/environment.ts';
import type { Json } from '../../lib/cni/resident.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';

export interface PluginJob {
  readonly is: 'plugin';
  /** The name of the request, for the records it works on; unlike that of any other of this process. */
  readonly request: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly stdin: Uint8Array;
  /** CNI_NETNS as its caller has opened it: a descriptor that stays open until the job is done. */
  readonly netns?: number | undefined;
}

export interface TaskJob {
  readonly is: 'task';
  readonly name: string;
  readonly argument: Json;
}

export type Job = PluginJob | TaskJob;

/** What a thread answers; `value` of a task, `answer` of a plugin. */
export type Outcome =
  | { readonly answer: Answer }
  | { readonly value: Json | undefined }
  | { readonly error: ThrownError };

/** An error on its way from one thread to another. */
export interface ThrownError {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly details: string;
}

/** To a thread: jobs to do at the same time, mostly one. */
export interface ToWorker {
  readonly jobs: readonly Job[];
}

/** `job`: its place among those that were given. */
export type FromWorker = { readonly ready: true } | { readonly job: number; readonly done: Outcome };
