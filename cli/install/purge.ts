/** What netmoor keeps on its host beside the installation: the lease stores, and its files of this boot. */
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../../lib/cni/world.ts';
import { knownDirectories } from '../../lib/mooring/stores.ts';

const RUN = '/run/netmoor';
const DATABASE = /^leases\.db/;

/** All that is gone afterwards; nothing is removed by looking (`dryRun`). */
export function purge(world: World, dryRun: boolean): string[] {
  const own = [world.storeDirectory, RUN];
  const others = knownDirectories(world).filter((dir) =>
    own.every((tree) => !`${dir}/`.startsWith(`${tree}/`)),
  );
  const files = others.flatMap((dir) =>
    existsSync(dir)
      ? readdirSync(dir)
          .filter((name) => DATABASE.test(name))
          .map((name) => join(dir, name))
      : [],
  );
  const gone = [...files, ...own.filter((tree) => existsSync(tree))];
  if (dryRun) return gone;
  for (const path of gone) rmSync(path, { recursive: true, force: true });
  for (const dir of others) if (existsSync(dir) && readdirSync(dir).length === 0) rmdirSync(dir);
  return gone;
}
