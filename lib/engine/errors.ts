/** Why the engine did not answer. None of these says that a request was done, or that it was not. */
import { NetmoorError } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import type { Refusal } from './protocol.ts';

/**
 * 'absent': nobody listens. 'refused': nothing was done, `refusal` says why. 'lost': it ended half-way, what it did is
 * unknown. 'late': no answer in time, it may still be at work. 'hostile': what is at its place is not the engine.
 */
export type EngineTrouble = 'absent' | 'refused' | 'lost' | 'late' | 'hostile';

const KINDS: Readonly<Record<EngineTrouble, ErrorKind>> = {
  absent: 'not-available',
  refused: 'not-available',
  lost: 'try-again',
  late: 'try-again',
  hostile: 'io',
};

export class EngineError extends NetmoorError {
  readonly trouble: EngineTrouble;
  readonly refusal: Refusal | undefined;

  constructor(
    trouble: EngineTrouble,
    message: string,
    details: string,
    options: { readonly cause?: unknown; readonly refusal?: Refusal } = {},
  ) {
    const transient = options.refusal?.kind === 'too-busy' || options.refusal?.kind === 'stopping';
    super(transient ? 'try-again' : KINDS[trouble], message, details, { cause: options.cause });
    this.name = 'EngineError';
    this.trouble = trouble;
    this.refusal = options.refusal;
  }
}
