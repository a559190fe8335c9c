/** The launcher in a private host, under the plugins' names, with the one-shot executable beside it. */
import { fileURLToPath } from 'node:url';
import type { Host } from './harness.ts';
import { SOCKET } from './engine-bed.ts';
import { MAGIC } from '../../lib/engine/launcher-frame.ts';

const BUILT = fileURLToPath(new URL('../../dist/build', import.meta.url));

/** Where the names lead to the launcher. */
export const LAUNCHED = '/run/launched';

export async function launcherIn(host: Host): Promise<void> {
  const links = ['bridge-nat', 'macvlan-v6', 'dhcp-ipam', 'netmoor-hook'].map(
    (name) => `ln -s ${BUILT}/launcher ${LAUNCHED}/${name}`,
  );
  await host.shell(`mkdir ${LAUNCHED}\n${links.join('\n')}`);
}

/** What the launcher of a version asks that there is not yet. */
export function laterFrame(executable: string): Buffer {
  const texts = ['99.0.0', 'bridge-nat', '1:1', '1:1', '1:1', '1:1', executable, '0', '0'];
  const body = Buffer.from(texts.map((text) => `${text}\0`).join(''));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([Buffer.from(MAGIC), length, body]);
}

/** What the engine says to that. */
export async function laterRequest(host: Host, executable = `${BUILT}/netmoor`): Promise<string> {
  const input = laterFrame(executable);
  return host.must(['socat', '-t', '10', '-', `UNIX-CONNECT:${SOCKET}`], { input });
}
