/** Asking the engine to serve a network, and starting it when nobody did: an ADD that promises it depends on it. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { askEngine } from '../../../lib/engine/client.ts';
import { ensureEngine } from '../../../lib/engine/ensure.ts';
import { pluginRequest } from '../../../lib/engine/request.ts';
import type { World } from '../../../lib/cni/world.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { NAME } from './program.ts';

const STARTING_MS = 10_000;
const ASKING_MS = 10_000;

function messageIn(stdout: string): string {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string };
    return [msg, details].filter((text) => text).join(': ');
  } catch {
    return stdout.trim();
  }
}

/** Returns when there is an engine. Throws NetmoorError: 'not-available' when there can be none. */
export function requireEngine({ monotonic, pause }: Pick<World, 'monotonic' | 'pause'>): void {
  ensureEngine({ monotonic, pause }, STARTING_MS);
}

/** Returns when the network is served. Throws NetmoorError: 'not-available' when it cannot be. */
export function requestService({ world }: Pick<Host, 'world'>, network: string): void {
  requireEngine(world);
  const config = { cniVersion: '1.1.0', name: network, type: NAME };
  const answered = askEngine(
    pluginRequest({
      program: NAME,
      environment: { CNI_COMMAND: 'STATUS', CNI_PATH: '/' },
      stdin: Buffer.from(JSON.stringify(config)),
      deadline: ASKING_MS,
    }),
    ASKING_MS,
  );
  if ('exitCode' in answered && answered.exitCode === 0) return;
  const why = 'stdout' in answered ? messageIn(answered.stdout) : 'it answered something else';
  throw new NetmoorError(
    'not-available',
    `the network is to have a DHCP server, and the engine does not run it: ${why}`,
    'see "netmoor engine status", or remove "dhcpServer"',
  );
}
