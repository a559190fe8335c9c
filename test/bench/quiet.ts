/**
 * Waiting for the machine to have nothing else to do: several hundred namespaces go on greeting each other for seconds.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const SAMPLE_MS = 500;
const DEADLINE_MS = 30_000;
const QUIET = 0.97;

/** What part of all processors' time since boot was idle, as clock ticks (proc_stat(5)). */
function ticks(): { idle: number; all: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const fields = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [, , , idle = 0, waiting = 0] = fields;
  return { idle: idle + waiting, all: fields.reduce((sum, field) => sum + field, 0) };
}

/** Returns once the processors were idle for half a second, or after half a minute. */
export async function untilQuiet(): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (let before = ticks(); performance.now() < deadline; ) {
    await pause(SAMPLE_MS);
    const now = ticks();
    if ((now.idle - before.idle) / (now.all - before.all) >= QUIET) return;
    before = now;
  }
}
