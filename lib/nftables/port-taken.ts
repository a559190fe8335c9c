/** The one conflict over elements that is not ours to settle: who holds a published port keeps it. */
import { NetmoorError } from '../base/errors.ts';
import { describeKey } from './describe.ts';
import type { SetElement } from './elements.ts';

export function portTaken(element: SetElement, holder: string, cause?: unknown): NetmoorError {
  return new NetmoorError(
    'port-taken',
    `host port ${describeKey(element)} is published already, for ${holder || 'an unnamed owner'}`,
    'choose another host port or address, or detach its holder; "netmoor gc" removes what a vanished container left',
    { cause },
  );
}
