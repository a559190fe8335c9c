/**
 * What befalls a program of the tests at a named step, by its first two arguments: STEP, and how it is to be struck
 * there.
 *
 *   (none)          nothing; the steps it goes through are told on stderr, so that the tests know all of them by asking
 *   STEP            it dies of SIGKILL
 *   STEP throws     it fails, and goes on to take everything back
 *   STEP stops      it says "stopped" on stderr and stops (SIGSTOP), the first time it gets there, until it is resumed
 *   STEP stumbles   the same, and then it fails
 *   "" hastens      nothing, but its clock is fast: what it would wait for ten seconds it gives up in a fifth of one
 */
import { writeSync } from 'node:fs';
import type { World } from '../../lib/cni/world.ts';
import { realWorld } from '../../lib/cni/real-world.ts';

const HASTE = 50;

/** The real world, in which `fate` waits at the step `fatal`. */
export function fatefulWorld(fatal: string | undefined, fate: string | undefined): World {
  let struck = false;
  const step = (name: string): void => {
    if (fatal === undefined) process.stderr.write(`step ${name}\n`);
    if (name !== fatal || struck) return;
    struck = true;
    const stops = fate === 'stops' || fate === 'stumbles';
    if (stops) writeSync(2, 'stopped\n');
    // To oneself these signals are delivered before kill(2) returns: nothing after the step runs.
    if (fate !== 'throws') process.kill(process.pid, stops ? 'SIGSTOP' : 'SIGKILL');
    if (fate === 'throws' || fate === 'stumbles') throw new Error(`failed at "${name}"`);
  };
  const world = { ...realWorld(), step };
  return fate === 'hastens' ? { ...world, monotonic: () => performance.now() * HASTE } : world;
}
