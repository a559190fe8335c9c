/**
 * `npm run bench -- hook`: what a network hook adds to `runc run` of a container that looks whether it has eth0, from
 * the start of runc to its end: netmoor-hook, one-shot and by the launcher, beside a shell script that calls the
 * reference chain (bridge with host-local, portmap, firewall), the hook that people write for themselves. All take
 * turns, in the same host.
 */
import { existsSync } from 'node:fs';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { lacking } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { LAUNCHED } from '../kernel/launcher-bed.ts';
import { HOOK, makeHookBundle, withRuntimeHost } from '../runtime/hook-bundle.ts';
import type { HookBundle } from '../runtime/hook-bundle.ts';
import { alternate } from './alternate.ts';
import { startLaunched, unserved } from './engine.ts';
import { median, milliseconds, table } from './figures.ts';
import type { Section, Who } from './figures.ts';
import * as goals from './goals.ts';
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
interface Way {
  readonly what: string;
  /** Those who are compared; the others tell what there is without them. */
  readonly who?: Who;
  readonly bundle: HookBundle;
}

const REPORTER = { comment: (...lines: unknown[]) => console.error(...lines) };

const port = (number: number) => ({ 'netmoor/ports': `${number}:80/tcp` });

/** Names what is missing for it; undefined when nothing is. */
export function lackingForHooks(): string | undefined {
  const executables = [HOOK, `${REFERENCE_PLUGINS}/bridge`];
  return lacking('perl', 'runc') ?? executables.find((executable) => !existsSync(executable));
}

/** The container fails where it has not the interface that it should have. */
async function makeWays(host: Host): Promise<readonly Way[]> {
  const make = (
    id: string,
    there: boolean,
    more: Parameters<typeof makeHookBundle>[2],
  ): Promise<HookBundle> => {
    const look = `[ ${there ? '' : '! '}-e /sys/class/net/eth0 ]`;
    return makeHookBundle(host, id, { command: ['/bin/sh', '-c', look], ...more });
  };
  const launched = { program: `${LAUNCHED}/netmoor-hook`, annotations: port(9997) };
  return [
    { what: 'no hook', bundle: await make('none', false, { stages: [] }) },
    { what: '/bin/true as both hooks', bundle: await make('true', false, { program: '/bin/true' }) },
    {
      what: 'a shell script that calls the reference chain',
      who: 'reference',
      bundle: await make('reference', true, { program: SCRIPT }),
    },
    {
      what: 'netmoor-hook, one-shot',
      who: 'one-shot',
      bundle: await make('own', true, { program: HOOK, annotations: port(9998) }),
    },
    {
      what: 'netmoor-hook, launcher and engine',
      who: 'engine',
      bundle: await make('launched', true, launched),
    },
  ];
}

/** What runs of runc do not tell: whether the hooks have taken away what they had made. */
async function expectNoPorts(host: Host): Promise<void> {
  const ports = (await host.ip('link', 'show', 'type', 'veth')).filter(({ master }) => master !== undefined);
  if (ports.length > 0) throw new Error(`hooks have left ${ports.length} ports of bridges behind`);
}

/** Medians, and what each adds to a run without a hook. */
function waysTable(ways: readonly Way[], times: readonly (readonly number[])[]): string {
  const base = median(times[0] ?? []);
  const rows = ways.map(({ what }, i) => {
    const own = times[i] ?? [];
    return [what, String(own.length), milliseconds(median(own)), milliseconds(median(own) - base)];
  });
  return table([['runc run, with', 'n', 'median', 'added'], ...rows]);
}

async function measureIn(host: Host, rounds: number): Promise<Section> {
  host.write(SCRIPT, REFERENCE_HOOK, 0o755);
  await startLaunched(host);
  const ways = await makeWays(host);
  const spawner = new Spawner(host);
  const run = async ({ bundle: { id, directory } }: Way): Promise<number> => {
    const argv = ['/usr/sbin/runc', 'run', '--bundle', directory, id];
    const job: Job = [{ argv, environment: plainEnvironment, input: '' }];
    return (await spawner.time(job)).total;
  };
  const times = await alternate(ways, rounds, run, BUDGET_MS);
  await expectNoPorts(host);
  const remarks = await unserved(host, 2 * (times[0]?.length ?? 0));
  // Of the same round: whatever the machine does meets both.
  const without = times[0] ?? [];
  const added = ways.flatMap(({ who }, i): [Who, number[]][] =>
    who === undefined ? [] : [[who, (times[i] ?? []).map((time, round) => time - (without[round] ?? 0))]],
  );
  const rows = [
    { what: 'hook: what it adds to runc run', times: Object.fromEntries(added), goals: goals.HOOK },
  ];
  await spawner.close();
  return { rows, notes: [...remarks, waysTable(ways, times)] };
}

/** At most so many rounds. */
export async function measureHooks(most: number): Promise<Section> {
  let section: Section = { rows: [], notes: [] };
  await withRuntimeHost(REPORTER, async (host) => {
    section = await measureIn(host, Math.min(ROUNDS, most));
  });
  return section;
}
