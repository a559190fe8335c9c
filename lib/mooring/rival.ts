/** Another network has what one wants; if all of it that is attached is dead, it can be cleared away first. */
import { NetmoorError } from '../base/errors.ts';
import { reclaimDead } from './collect.ts';
import type { Host } from './host.ts';
import type { Kind } from './kind.ts';

export class RivalError extends NetmoorError {
  readonly network: string;

  constructor(network: string, message: string, details: string) {
    super('subnet-taken', message, details);
    this.name = 'RivalError';
    this.network = network;
  }
}

/** Does what may find a rival, and again when that turns out to be dead. */
export function clearingRivals<T>(kind: Kind, host: Host, work: () => T): T {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!clearedRival(kind, host, error)) throw error;
    }
  }
}

/** Whether the dead of the rival have been cleared away, so that it is worth trying again. */
function clearedRival(kind: Kind, host: Host, error: unknown): boolean {
  return error instanceof RivalError && reclaimDead(kind, host, { network: error.network }) > 0;
}
