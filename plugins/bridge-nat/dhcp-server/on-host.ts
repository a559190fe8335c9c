/** How the engine's tasks come by a host to work on. */
import type { World } from '../../../lib/cni/world.ts';
import { withHost } from '../../../lib/mooring/host.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import { asRequest } from '../../../lib/system/worker.ts';

/** In the name of a request of its own, so that what it has in hand is left alone by others. */
export async function onHost<T>(dir: string, world: World, work: (host: Host) => T): Promise<T> {
  const notes = { path: [], environment: {}, note: () => {} };
  return asRequest(`dhcp-server-${world.random(8).toString('hex')}`, async (worker) => {
    const own: World = Object.create(world, { worker: { value: worker } });
    return withHost(dir, own, notes, work);
  });
}
