/** Asking the engine to serve a network, and starting it when nobody did: an ADD that promises it depends on it. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { askPlugin } from '../../../lib/engine/ask-plugin.ts';
import { ensureEngine } from '../../../lib/engine/ensure.ts';
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
export function requestService({ world: { monotonic, pause } }: Pick<Host, 'world'>, network: string): void {
  const config = { cniVersion: '1.1.0', name: network, type: NAME };
  const call = {
    program: NAME,
    environment: { CNI_COMMAND: 'STATUS', CNI_PATH: '/' },
    stdin: Buffer.from(JSON.stringify(config)),
    deadline: STARTING_MS + ASKING_MS,
  };
  const { exitCode, stdout } = askPlugin(call, { monotonic, pause });
  if (exitCode === 0) return;
  throw new NetmoorError(
    'not-available',
    `the network is to have a DHCP server, and the engine does not run it: ${messageIn(stdout)}`,
    'see "netmoor engine status", or remove "dhcpServer"',
  );
}
