/**
 * `npm run bench [-- attach | macvlan | dhcp | hook | scale | size | startup] [--rounds 3] [--write]`: netmoor beside
 * the Go reference plugins of Debian, on this machine, in the same run; with CNI_REFERENCE_PATH=directory beside newer
 * ones as well. Without a word all but scale, size and startup.
 *
 * All take turns (A B A B …), so that whatever else the machine does meets all alike. Whole processes are measured, as
 * a runtime spawns them: of the reference bridge (which runs host-local), then portmap, then firewall; of netmoor
 * bridge-nat, as the one-shot executable and as the launcher before an engine. --rounds is for seeing that it works;
 * --write keeps the figures in README.md and the chart. `scale --containers 300`: up to 300; `dhcp --leases 2000`: what
 * keeping leases costs (dhcp-leases.ts); `dhcp --itself`, `macvlan --itself`: the reference against itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import minimist from 'minimist';
import { lackingForPlugins, measureAttaching } from './attach.ts';
import { lackingForDhcp, measureDhcp } from './dhcp.ts';
import { measureLeases } from './dhcp-leases.ts';
import type { Section } from './figures.ts';
import { lackingForHooks, measureHooks } from './hook.ts';
import { describeMachine } from './machine.ts';
import { lackingForMacvlan, measureMacvlan } from './macvlan.ts';
import { resultOf, resultText, write } from './report.ts';
import { measureScale } from './scale.ts';
import { lackingForSize, measureSize } from './size.ts';
import { measureStartup } from './startup.ts';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

interface Flags {
  readonly write: boolean;
  readonly itself: boolean;
  /** At most so many of each comparison. */
  readonly rounds: number;
  /** With `dhcp`: how many the engine is to keep. */
  readonly leases: number;
  /** With `scale`: up to how many. */
  readonly containers: number;
  readonly _: readonly string[];
}

interface Bench {
  /** Names what is missing for it; undefined when nothing is. */
  readonly lacking: (flags: Flags) => string | undefined;
  /** `states` is a directory on a real disk, for what all keep. */
  readonly run: (states: string, flags: Flags) => Promise<Section>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  attach: { lacking: lackingForPlugins, run: async (states, { rounds }) => measureAttaching(states, rounds) },
  macvlan: {
    lacking: ({ itself }) => lackingForMacvlan(itself),
    run: async (states, { itself, rounds }) => measureMacvlan(states, itself, rounds),
  },
  dhcp: {
    lacking: ({ itself }) => lackingForDhcp(itself),
    run: async (states, { itself, leases, rounds }) =>
      leases > 0 ? { rows: [], notes: [await measureLeases(leases)] } : measureDhcp(states, itself, rounds),
  },
  hook: { lacking: lackingForHooks, run: async (_, { rounds }) => measureHooks(rounds) },
  scale: {
    lacking: lackingForPlugins,
    run: async (states, { containers, rounds }) => measureScale(states, containers, rounds),
  },
  size: {
    lacking: lackingForSize,
    run: async () => ({ rows: [], notes: [await measureSize()] }),
  },
  startup: { lacking: lackingForPlugins, run: async (states, { rounds }) => measureStartup(states, rounds) },
};

const USUALLY = ['attach', 'macvlan', 'dhcp', 'hook'];

async function runBench(name: string, flags: Flags): Promise<void> {
  const bench = BENCHES[name];
  if (bench === undefined)
    throw new Error(`there is no bench of ${name}: ${Object.keys(BENCHES).join(', ')}`);
  const missing = bench.lacking(flags);
  if (missing !== undefined) throw new Error(`the bench cannot run: ${missing}`);
  const machine = describeMachine();
  const states = mkdtempSync(`${DIST}/bench-`);
  try {
    const section = await bench.run(states, flags);
    const result = resultOf(section, machine);
    console.log([name, resultText(result), ...(section.details ?? []), ''].join('\n\n'));
    if (flags.write) write(name, result);
  } finally {
    rmSync(states, { recursive: true });
  }
}

async function main(): Promise<void> {
  const options = {
    boolean: ['write', 'itself'],
    default: { leases: 0, containers: 1000, rounds: Number.POSITIVE_INFINITY },
  };
  const flags = minimist(process.argv.slice(2), options) as unknown as Flags;
  for (const name of flags._.length > 0 ? flags._ : USUALLY) await runBench(name, flags);
}

await main();
