/**
 * What must be equal before the first container and after the last.
 */
import type { Test } from 'tap';
import { withHost } from '../kernel/harness.ts';
import type { Host, Snapshot } from '../kernel/harness.ts';

/** Files that stay by intent: the lease store with no lease in it, and the caches libcni and host-local keep. */
const STORE = /^\S \/var\/lib\/cni(\/(netmoor|results|networks|cache)|$)|^\S \/run\/xtables.lock/;

/**
 * For `withHost`: a host that forwards already, as forwarding stays on once a network needed it, and with it come the
 * kernel's subnet-router anycast routes.
 */
export const FORWARDING = {
  prepare: 'echo 1 > /proc/sys/net/ipv4/ip_forward\necho 1 > /proc/sys/net/ipv6/conf/all/forwarding\n',
} as const;

/** `withHost` with such a host; `prepare` is further shell for it before it counts as ready. */
export async function withForwardingHost(
  t: Test,
  body: (host: Host) => Promise<void>,
  prepare = '',
): Promise<void> {
  await withHost(t, body, { prepare: FORWARDING.prepare + prepare });
}

/** A dump of the host without the runtime's own files. */
export async function stateOf(host: Host, runtimesOwn: RegExp): Promise<Snapshot> {
  return host.snapshot({ ignoreFiles: new RegExp(`${runtimesOwn.source}|${STORE.source}`) });
}
