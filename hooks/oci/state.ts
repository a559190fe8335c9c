/**
 * The state a runtime writes to a hook's stdin (OCI runtime-spec 1.1.0, runtime.md "State"), and what is to be done
 * about it.
 *
 * At prestart and createRuntime runc says "creating", crun "created"; at poststop runc and podman leave `pid` out, crun
 * writes 0.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { nearest } from '../../lib/base/suggest.ts';
import { parseJsonObject } from '../../lib/cni/json.ts';
import { containerIdProblem } from '../../lib/cni/names.ts';
import { quote } from '../../lib/cni/quote.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import { validate } from '../../schemas/compiled/oci-state.js';
import type { OciState } from '../../schemas/compiled/oci-state.js';
import stateSchema from '../../schemas/oci-state.schema.json' with { type: 'json' };

export interface ContainerState {
  readonly id: string;
  readonly status: OciState['status'];
  /** The container's first process as the host sees it; undefined when there is none. */
  readonly pid: number | undefined;
  /** Absolute. */
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export type Action = 'attach' | 'detach' | 'nothing';

/** Reads stdin. Throws NetmoorError 'bad-json' or 'bad-config'. */
export function readState(stdin: Buffer): ContainerState {
  if (stdin.length === 0) {
    throw new NetmoorError(
      'bad-json',
      'there is no container state on stdin',
      'a container runtime starts this program; see "netmoor-hook --help"',
    );
  }
  const input: unknown = parseJsonObject(stdin, 'the container state on stdin');
  if (!validate(input)) throw schemaProblem(stateSchema, validate.errors, input, 'state');
  const problem = containerIdProblem(input.id);
  if (problem !== undefined)
    throw new NetmoorError('bad-config', `container id: ${problem}`, 'start the container under another id');
  const { id, status, bundle, annotations = {}, pid } = input;
  return { id, status, bundle, annotations, pid: pid === 0 ? undefined : pid };
}

const ACTIONS: Readonly<Record<string, Action>> = {
  attach: 'attach',
  prestart: 'attach',
  createRuntime: 'attach',
  detach: 'detach',
  poststop: 'detach',
  poststart: 'nothing',
};

/** Hooks that runtimes run inside the container's namespaces, where the host's side cannot be reached. */
const INSIDE = ['createContainer', 'startContainer'];

function actionNamed(stage: string): Action {
  if (INSIDE.includes(stage)) {
    throw new NetmoorError(
      'bad-config',
      `${stage} hooks run inside the container`,
      'list netmoor-hook under createRuntime and poststop',
    );
  }
  const action = Object.hasOwn(ACTIONS, stage) ? ACTIONS[stage] : undefined;
  if (action !== undefined) return action;
  const known = Object.keys(ACTIONS);
  const meant = nearest(stage, known);
  const advice = `${meant === undefined ? '' : `did you mean ${meant}? `}known are ${known.join(', ')}`;
  throw new NetmoorError('bad-config', `unknown stage ${quote(stage)}`, advice);
}

/** What to do: what the argument says, else what the state says. Throws NetmoorError('bad-config'). */
export function chooseAction(
  stage: string | undefined,
  state: Pick<ContainerState, 'status' | 'pid'>,
): Action {
  if (stage !== undefined) return actionNamed(stage);
  if (state.status === 'stopped') return 'detach';
  if (state.status === 'running') return 'nothing';
  if (state.pid !== undefined) return 'attach';
  throw new NetmoorError(
    'bad-config',
    `the container is ${quote(state.status)}, but the state names no process`,
    'list netmoor-hook under createRuntime and poststop, not under createContainer or startContainer',
  );
}
