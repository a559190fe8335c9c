/**
 * Part of `npm run bench`, and `node test/bench/hook.ts` by itself: what a network hook adds to `runc run` of a
 * container that does nothing, from the start of runc to its end: netmoor-hook beside a shell script that calls the
 * reference chain (bridge with host-local, portmap, firewall), the hook that people write for themselves. All take
 * turns, in the same host.
 */
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import type { Host } from '../kernel/harness.ts';
import { HOOK, makeHookBundle, withRuntimeHost } from '../runtime/hook-bundle.ts';
import type { HookBundle } from '../runtime/hook-bundle.ts';
import { median, table } from './figures.ts';
import { Spawner } from './spawner.ts';
import type { Job } from './spawner.ts';

const ROUNDS = 15;
const BUDGET_MS = 90_000;
const SCRIPT = '/run/reference-hook';

/** ADD in order with the result of the one before, DEL in reverse; the state is all that it reads. */
const REFERENCE_HOOK = `#!/bin/sh
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin CNI_PATH=${REFERENCE_PLUGINS} CNI_IFNAME=eth0
state=$(cat)
field() { printf %s "$state" | sed -n "s/.*\\"$1\\": *\\"\\{0,1\\}\\([^,\\"}]*\\).*/\\1/p"; }
export CNI_CONTAINERID=$(field id)
pid=$(field pid)
result=/run/reference-$CNI_CONTAINERID
head='"cniVersion":"1.0.0","name":"reference"'
bridge='"type":"bridge","bridge":"br-ref","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.99.0.0/24"}],[{"subnet":"fd99::/64"}]]}'
portmap='"type":"portmap","runtimeConfig":{"portMappings":[{"hostPort":9999,"containerPort":80,"protocol":"tcp"}]}'
firewall='"type":"firewall"'
call() { echo "{$head,$2$3}" | $CNI_PATH/$1; }
if [ -n "$pid" ] && [ "$pid" != 0 ]; then
  export CNI_COMMAND=ADD CNI_NETNS=/proc/$pid/ns/net
  last=$(call bridge "$bridge")
  last=$(call portmap "$portmap" ",\\"prevResult\\":$last")
  last=$(call firewall "$firewall" ",\\"prevResult\\":$last")
  printf %s "$last" > "$result"
else
  export CNI_COMMAND=DEL CNI_NETNS=
  last=$(cat "$result")
  call firewall "$firewall" ",\\"prevResult\\":$last"
  call portmap "$portmap" ",\\"prevResult\\":$last"
  call bridge "$bridge" ",\\"prevResult\\":$last"
  rm "$result"
fi
`;

/** How one container is given its network. */
export interface Way {
  readonly what: string;
  /** Milliseconds of whole runs. */
  readonly times: readonly number[];
}

const PORT = { 'netmoor/ports': '9998:80/tcp' };

async function makeBundles(host: Host): Promise<readonly (readonly [what: string, bundle: HookBundle])[]> {
  const command = ['/bin/true'];
  const make = (id: string, more: Parameters<typeof makeHookBundle>[2]): Promise<HookBundle> =>
    makeHookBundle(host, id, { command, ...more });
  return [
    ['no hook', await make('none', { stages: [] })],
    ['/bin/true as both hooks', await make('true', { program: '/bin/true' })],
    ['the reference chain, called by a shell script', await make('reference', { program: SCRIPT })],
    ['netmoor-hook', await make('own', { program: HOOK, annotations: PORT })],
  ];
}

/** Every way in turn, the first round for warming up. */
export async function measureHooks(host: Host): Promise<Way[]> {
  host.write(SCRIPT, REFERENCE_HOOK, 0o755);
  const bundles = await makeBundles(host);
  const spawner = new Spawner(host);
  const times = bundles.map((): number[] => []);
  const end = performance.now() + BUDGET_MS;
  for (let round = 0; round <= ROUNDS && (round < 4 || performance.now() < end); round++) {
    for (const [index, [, { id, directory }]] of bundles.entries()) {
      const job: Job = [
        {
          argv: ['/usr/sbin/runc', 'run', '--bundle', directory, id],
          environment: plainEnvironment,
          input: '',
        },
      ];
      const { total } = await spawner.time(job);
      if (round > 0) times[index]?.push(total);
    }
  }
  return bundles.map(([what], index) => ({ what, times: times[index] ?? [] }));
}

/** Medians, and what each adds to a run without a hook. */
export function hookTable(ways: readonly Way[]): string {
  const [bare] = ways;
  const base = median(bare?.times ?? []);
  const rows = ways.map(({ what, times }) => {
    const added = median(times) - base;
    return [
      what,
      String(times.length),
      `${median(times).toFixed(1)} ms`,
      `${added.toFixed(1)} ms`,
      `${Math.min(...times).toFixed(1)} ms`,
    ];
  });
  return table([['runc run of /bin/true, with', 'n', 'median', 'added', 'best'], ...rows]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await withRuntimeHost({ comment: (...lines) => console.error(...lines) }, async (host) => {
    console.log(hookTable(await measureHooks(host)));
  });
}
