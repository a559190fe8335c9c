/**
 * `npm run bench [-- --long]`: netmoor beside the Go reference plugins of Debian, on this machine, in the same run.
 *
 * The two take turns (A B A B …), so that whatever else the machine does meets both alike. Whole processes are
 * measured, as a runtime spawns them: of the reference bridge (which runs host-local), then portmap, then firewall; of
 * netmoor bridge-nat.
 * --long goes up to 1,000 containers, which takes the reference many minutes. --macvlan compares on a LAN instead: see
 * macvlan.ts; `dhcp` where a LAN's server gives the addresses: see dhcp.ts; `dhcp --leases 2000` what keeping them
 * costs: see dhcp-leases.ts; `scale` beside up to 1,000 containers, packets included: see scale.ts;
 * `size` what the executable is made of: see size.ts.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import minimist from 'minimist';
import { NODE } from '../../cli/build/paths.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { lacking } from '../kernel/harness.ts';
import { withRuntimeHost } from '../runtime/hook-bundle.ts';
import { alternate } from './alternate.ts';
import { Contender, chains } from './contender.ts';
import { lackingForDhcp, measureDhcp } from './dhcp.ts';
import { measureLeases } from './dhcp-leases.ts';
import { hookTable, measureHooks } from './hook.ts';
import { comparisonTable, growthTable, plainTable } from './figures.ts';
import type { Comparison, Times } from './figures.ts';
import { lackingForMacvlan, measureMacvlan } from './macvlan.ts';
import { lackingForScale, measureScale } from './scale.ts';
import { lackingForSize, measureSize } from './size.ts';
import type { Job } from './spawner.ts';
import { partsOfStarts } from './startup.ts';

type Pair = readonly [reference: Contender, own: Contender];

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/**
 * Shares of the reference's time. VERSION of a one-shot executable has no goal: it costs a start of the runtime inside.
 */
const goals = { add: 0.7, del: 0.3, parallel: 0.7, growth: 1.2 };

async function compareVersion(pair: Pair): Promise<Comparison> {
  const [reference, own] = await alternate(pair, 40, async (c) => (await c.spawner.time(c.version())).total);
  return { what: 'VERSION', reference, own };
}

/** One container comes and goes. */
async function comeAndGo(contender: Contender): Promise<{ add: number; del: number }> {
  const [number = 0] = await contender.containers(1);
  const add = await contender.spawner.time(contender.add(number));
  const del = await contender.spawner.time(contender.del(number, add.output));
  await contender.removeContainer(number);
  return { add: add.total, del: del.total };
}

async function measureAttaching(pair: Pair, rounds: number): Promise<{ add: Times; del: Times }> {
  const [reference, own] = await alternate(pair, rounds, comeAndGo);
  const pick = (verb: 'add' | 'del') => ({
    reference: reference.map((r) => r[verb]),
    own: own.map((r) => r[verb]),
  });
  return { add: pick('add'), del: pick('del') };
}

/** The same work for both: the bridge is there before the container, and stays. */
async function compareAttaching(pair: Pair, title: string, rounds: number): Promise<Comparison[]> {
  const { add, del } = await measureAttaching(pair, rounds);
  return [
    { what: `ADD, ${title}`, ...add, goal: goals.add },
    { what: `DEL, ${title}`, ...del, goal: goals.del },
  ];
}

/**
 * What nobody asked of the reference: netmoor's bridge comes with the first container and goes with the last. The
 * kernel waits twice for all processors (rcu_barrier) to remove a bridge, once for a veth.
 */
async function compareWithBridge(pair: Pair, rounds: number): Promise<Comparison[]> {
  const [, own] = pair;
  own.bridgeStays = false;
  const { add, del } = await measureAttaching(pair, rounds);
  own.bridgeStays = true;
  return [
    { what: 'ADD, netmoor makes its bridge', ...add },
    { what: 'DEL, netmoor removes its bridge', ...del },
  ];
}

/** Attaches `count` containers, `workers` at a time; milliseconds until the last is done. */
async function attachMany(contender: Contender, count: number, workers: number): Promise<number> {
  const numbers = await contender.containers(count);
  const jobs = numbers.map((number) => contender.add(number));
  return (await contender.spawner.run(workers, jobs)).wall;
}

/** As many containers more for both; not measured, hence both at the same time. */
async function fill(pair: Pair, count: number): Promise<void> {
  await Promise.all(pair.map((contender) => attachMany(contender, count, 2)));
}

/** What a process costs before it is netmoor's doing. */
async function startCosts([, own]: Pair): Promise<string> {
  const run = async (
    what: string,
    argv: readonly string[],
    variables: Readonly<Record<string, string>> = {},
  ) => {
    const job: Job = [{ argv, environment: { ...plainEnvironment, ...variables }, input: '{}' }];
    const times: number[] = [];
    for (let i = 0; i < 20; i++) times.push((await own.spawner.time(job)).total);
    return { what, times };
  };
  const executable = own.chain.executable;
  return plainTable('a start of', [
    await run('/bin/true: what measuring costs', ['/bin/true']),
    await run('the bare runtime: node -e 0', [NODE, '-e', '0']),
    await run('the executable, no command', [executable]),
    await run('the executable, VERSION', [executable], { CNI_COMMAND: 'VERSION' }),
  ]);
}

function moduleCosts(): string {
  const starts = partsOfStarts(15);
  const names = Object.keys(starts[0] ?? {});
  return plainTable(
    'of which, beyond VERSION, an ADD loads',
    names.map((what) => ({ what, times: starts.map((parts) => parts[what] ?? 0) })),
  );
}

async function compare(pair: Pair, long: boolean): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n\n`);
  const [load = 0] = loadavg();
  if (load > 1)
    say(
      `The machine is busy (load average ${load.toFixed(1)}): absolute figures are too high, ratios unsteady.`,
    );
  say(await startCosts(pair));
  say(moduleCosts());
  const version = await compareVersion(pair);
  const withBridge = await compareWithBridge(pair, 15);
  const alone = await compareAttaching(pair, '1 container', 25);
  await fill(pair, 1);
  const second = await compareAttaching(pair, 'beside 1', 25);
  const atOnce = { what: '100 ADDs at once', goal: goals.parallel };
  const [ofReference, ofOwn] = [await attachMany(pair[0], 100, 100), await attachMany(pair[1], 100, 100)];
  say(
    comparisonTable([
      version,
      ...alone,
      ...withBridge,
      ...second,
      { ...atOnce, reference: [ofReference], own: [ofOwn] },
    ]),
  );
  let live = 101;
  for (const target of long ? [300, 1000] : [300]) {
    await fill(pair, target - live);
    live = target;
    const beside = await compareAttaching(pair, `beside ${live}`, 15);
    say(comparisonTable(beside));
    say(growthTable(second, beside, goals.growth));
  }
}

const REPORTER = { comment: (...lines: unknown[]) => console.error(...lines) };

interface Flags {
  readonly long: boolean;
  readonly macvlan: boolean;
  readonly itself: boolean;
  /** With `dhcp`: how many the engine is to keep. */
  readonly leases: number;
  /** With `scale`: up to how many. */
  readonly containers: number;
  /** `dhcp`, `scale` or `size`, or nothing. */
  readonly _: readonly string[];
}

async function compareBridges(states: string, long: boolean): Promise<void> {
  const contenders: Contender[] = [];
  try {
    for (const chain of chains) contenders.push(await Contender.start(chain, `${states}/${chain.name}`));
    const [reference, own] = contenders;
    if (reference === undefined || own === undefined) throw new Error('a contender is missing');
    await compare([reference, own], long);
    await withRuntimeHost(REPORTER, async (host) => console.log(`\n${hookTable(await measureHooks(host))}`));
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}

interface Bench {
  /** Names what is missing for it; undefined when nothing is. */
  readonly lacking: () => string | undefined;
  readonly run: (states: string) => Promise<string | undefined>;
}

function lackingForBridges(): string | undefined {
  return (
    lacking('perl') ?? chains.map((chain) => chain.executable).find((executable) => !existsSync(executable))
  );
}

function benchOf({ long, macvlan, itself, leases, containers, _: words }: Flags): Bench {
  const [word, ...more] = words;
  if (more.length > 0 || ![undefined, 'dhcp', 'scale', 'size'].includes(word))
    throw new Error(`there is no bench of ${words.join(' ')}`);
  if (macvlan)
    return { lacking: () => lackingForMacvlan(itself), run: (states) => measureMacvlan(states, itself) };
  if (word === 'size') return { lacking: lackingForSize, run: measureSize };
  if (word === 'scale')
    return { lacking: lackingForScale, run: (states) => measureScale(states, containers) };
  if (word === 'dhcp') {
    const run = (states: string) => (leases > 0 ? measureLeases(leases) : measureDhcp(states, itself));
    return { lacking: () => lackingForDhcp(itself), run };
  }
  return {
    lacking: lackingForBridges,
    run: async (states) => void (await compareBridges(states, long)),
  };
}

async function main(): Promise<void> {
  const names = { boolean: ['long', 'macvlan', 'itself'], default: { leases: 0, containers: 1000 } };
  const bench = benchOf(minimist(process.argv.slice(2), names) as unknown as Flags);
  const missing = bench.lacking();
  if (missing !== undefined) throw new Error(`the bench cannot run: ${missing}`);
  const states = mkdtempSync(`${DIST}/bench-`);
  try {
    const tables = await bench.run(states);
    if (tables !== undefined) console.log(tables);
  } finally {
    rmSync(states, { recursive: true });
  }
}

await main();
