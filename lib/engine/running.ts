/** Whether there is an engine, for who does not want one started: to connect would have systemd do that. */
import { isLocked } from '../system/lock.ts';
import { placesIn } from './places.ts';
import type { EnginePlaces } from './places.ts';

/** It holds this lock as long as it lives. */
export function engineRuns({ life }: EnginePlaces = placesIn()): boolean {
  return isLocked(life);
}
