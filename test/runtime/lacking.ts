/**
 * What a runtime test needs of the machine, in the form of tap's `skip`.
 */
import { lacking } from '../kernel/harness.ts';

/** Names what is missing; false when nothing is. */
export function lackingFor(...programs: readonly string[]): string | false {
  return lacking(...programs) ?? false;
}
