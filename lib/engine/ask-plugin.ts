/** A plugin's call answered by the engine, which is started when nobody has: what a one-shot plugin needs. */
import { NetmoorError } from '../base/errors.ts';
import type { Patience } from '../system/lock.ts';
import { askEngine } from './client.ts';
import { engineCommand, ensureEngine } from './ensure.ts';
import type { EngineCommand } from './ensure.ts';
import { EngineError } from './errors.ts';
import { placesIn } from './places.ts';
import type { EnginePlaces } from './places.ts';
import type { PluginAnswer } from './protocol.ts';
import { pluginRequest } from './request.ts';
import type { PluginCall } from './request.ts';

/** One that has just gone, or is about to, has not begun with the request: the next one may have it. */
function isGoing(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false;
  return error.trouble === 'refused' && error.refusal?.kind === 'stopping';
}

/**
 * Throws EngineError, see there; NetmoorError 'try-again' when no engine could be started in time. Only what is 'lost'
 * or 'late' may have been done, or be done yet.
 */
export function askPlugin(
  call: PluginCall,
  patience: Patience,
  command: EngineCommand = engineCommand(),
  places: EnginePlaces = placesIn(),
): PluginAnswer {
  const end = patience.monotonic() + call.deadline;
  const left = (): number => end - patience.monotonic();
  for (;;) {
    ensureEngine(patience, left(), command, places);
    try {
      const answer = askEngine(pluginRequest({ ...call, deadline: left() }), left(), places.socket);
      if ('exitCode' in answer) return answer;
      throw new NetmoorError('internal', 'the engine answered something else than it was asked for');
    } catch (error) {
      const absent = error instanceof EngineError && error.trouble === 'absent';
      if (!(absent || isGoing(error)) || left() <= 0) throw error;
    }
  }
}
