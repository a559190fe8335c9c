/** The engine in a contender's host, and the launcher in front of it. */
import { askStatus, startEngine } from '../kernel/engine-bed.ts';
import type { Host } from '../kernel/harness.ts';
import { launcherIn } from '../kernel/launcher-bed.ts';

export async function startLaunched(host: Host): Promise<void> {
  await launcherIn(host);
  await startEngine(host);
}

/** Requests that the engine has answered so far. */
export async function servedBy(host: Host): Promise<number> {
  return (await askStatus(host)).requests?.served ?? 0;
}

/**
 * A launcher whose engine does not answer in time becomes the one-shot, with the same result: somebody else's time,
 * which is told. Nothing when the engine has answered all requests.
 */
export async function unserved(host: Host, requests: number): Promise<string[]> {
  const served = await servedBy(host);
  if (served === 0 && requests > 0) throw new Error('the engine has answered nothing');
  return served < requests
    ? [`engine: of ${requests} requests ${requests - served} were not its doing but the one-shot's`]
    : [];
}
