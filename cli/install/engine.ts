/** The engine of an installation: the one that runs, if it is ours. */
import { readlinkSync, realpathSync } from 'node:fs';
import { errorText } from '../../lib/base/errors.ts';
import { askEngine } from '../../lib/engine/client.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import { orderRequest } from '../../lib/engine/request.ts';
import { engineRuns } from '../../lib/engine/running.ts';
import type { World } from '../../lib/cni/world.ts';
import { validate } from '../../schemas/compiled/cli-engine.js';

/** Milliseconds that an engine is given for its answer, and for its requests to come to their end. */
const PATIENCE = 10_000;
const PAUSE = 20;

/** The process of the engine that was started from `executable`, which may have been replaced since. */
function engineFrom(executable: string): number | undefined {
  const answer = askEngine(orderRequest('status'), PATIENCE);
  const report: unknown = 'report' in answer ? answer.report : undefined;
  if (!validate(report) || report.pid === undefined) return undefined;
  const file = readlinkSync(`/proc/${report.pid}/exe`).replace(/ \(deleted\)$/, '');
  return file === realpathSync(executable) ? report.pid : undefined;
}

/** Ends it, and waits for that. Returns what went wrong; that there is none is fine. */
export function stopEngineOf(executable: string, world: World): string[] {
  try {
    // Connecting to a socket of systemd's would start one.
    if (!engineRuns() || engineFrom(executable) === undefined) return [];
    askEngine(orderRequest('stop'), PATIENCE);
    const deadline = world.monotonic() + PATIENCE;
    while (engineRuns() && world.monotonic() < deadline) world.pause(PAUSE);
    return engineRuns() ? ['the engine has not ended yet'] : [];
  } catch (error) {
    if (error instanceof EngineError && error.trouble === 'absent') return [];
    return [`the engine could not be stopped: ${errorText(error)}`];
  }
}
