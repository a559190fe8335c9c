/**
 * What must be equal before the first container and after the last.
 */
import { without } from '../kernel/harness.ts';
import type { Host, Snapshot } from '../kernel/harness.ts';

/** Files that stay by intent: the lease store with no lease in it, and the caches libcni and host-local keep. */
const STORE = /^\S \/var\/lib\/cni(\/(netmoor|results|networks|cache)|$)|^\S \/run\/xtables.lock/;

/** A dump of the host without the runtime's own files and without the forwarding switches, which stay on once needed. */
export async function stateOf(host: Host, runtimesOwn: RegExp): Promise<Snapshot> {
  const ignoreFiles = new RegExp(`${runtimesOwn.source}|${STORE.source}`);
  return without(await host.snapshot({ ignoreFiles }), 'sysctls');
}
