/** The one conflict over elements that is not ours to settle: who holds a published port, or address, keeps it. */
import { NetmoorError } from '../base/errors.ts';
import { describeKey } from './describe.ts';
import type { SetElement } from './element.ts';

/** What one owner alone can have: a port of the host, or a public address with all its ports. */
export function isExclusive({ set }: SetElement): boolean {
  return set.startsWith('publish') || set.startsWith('one');
}

export function portTaken(element: SetElement, holder: string, cause?: unknown): NetmoorError {
  const what = element.set.startsWith('one') ? 'public address' : 'host port';
  return new NetmoorError(
    'port-taken',
    `${what} ${describeKey(element)} is published already, for ${holder || 'an unnamed owner'}`,
    'choose another host port or address, or detach its holder; "netmoor gc" removes what a vanished container left',
    { cause },
  );
}
