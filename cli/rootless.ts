/** Containers of rootless podman have a lease store of their own, in mounts that only its own commands can see. */
import { existsSync, readFileSync } from 'node:fs';
import { storeFile } from '../ipam/store/open.ts';

/** Where `podman run` of a user keeps its networks (podman-unshare(1)). */
export const ROOTLESS = 'podman unshare --rootless-netns netmoor …';

/** Not root, or root of a user namespace alone (user_namespaces(7): the first one maps all ids onto themselves). */
function isRootless(): boolean {
  if (process.geteuid?.() !== 0) return true;
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

/** An empty list of somebody who may be looking in the wrong place gets a word about the right one. */
export function noteRootless(dirs: readonly string[], note: (line: string) => void): void {
  if (dirs.some((dir) => existsSync(storeFile(dir))) || !isRootless()) return;
  note(`there is no lease store in ${dirs.join(', ')}; for containers of rootless podman: ${ROOTLESS}`);
}
