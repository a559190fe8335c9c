/**
 * OCI bundles (runtime-spec 1.0) for runc and crun, in a network namespace made beforehand.
 */
import { ROOTFS } from './rootfs.ts';
import type { Host } from '../kernel/harness.ts';

interface Spec {
  process: { terminal: boolean; args: string[]; rlimits?: unknown; oomScoreAdj?: unknown };
  root: { path: string; readonly: boolean };
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
}

/**
 * Writes a bundle whose container stays until killed; returns its directory. The configuration is `runc spec`'s own.
 */
export async function makeBundle(host: Host, id: string, netnsPath: string): Promise<string> {
  const directory = `/run/bundles/${id}`;
  const text = await host.shell(
    `mkdir -p ${directory}\nrunc spec --bundle ${directory}\ncat ${directory}/config.json`,
  );
  const spec = JSON.parse(text) as Spec;
  spec.process.terminal = false;
  spec.process.args = ['/bin/sleep', '1000000'];
  // Raising a limit takes CAP_SYS_RESOURCE.
  delete spec.process.rlimits;
  spec.root = { path: ROOTFS, readonly: true };
  spec.linux.cgroupsPath = `/${host.id}/${id}`;
  spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== 'network');
  spec.linux.namespaces.push({ type: 'network', path: netnsPath });
  host.write(`${directory}/config.json`, JSON.stringify(spec));
  return directory;
}
