/**
 * A plugin as a process, for cni-entry.test.ts: an IPAM one, which needs no namespace. Its answer is as long as `lines`
 * says.
 */
import { runPlugin } from '../../lib/cni/entry.ts';
import type { AttachedContext } from '../../lib/cni/plugin.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { fakePlugin } from './cni-fakes.ts';

function answer({ config }: AttachedContext): CniResult {
  const search = Array.from(
    { length: Number(config.raw['lines'] ?? 0) },
    (_, index) => `line-${index}.example`,
  );
  return { interfaces: [], ips: [{ address: '10.1.0.2/16' }], routes: [], dns: { search } };
}

await runPlugin(async () => ({ ...fakePlugin(answer), role: 'ipam' }));
