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
 * A launcher whose engine does not answer becomes the one-shot, with the same result: that would be somebody else's
 * time.
 */
export async function expectServed(host: Host, requests: number): Promise<void> {
  const served = await servedBy(host);
  if (served < requests) throw new Error(`the engine has answered ${served} of ${requests} requests`);
}
