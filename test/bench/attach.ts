/** `npm run bench -- attach`: containers that come to a bridge; see chains.ts for who is compared. */
import { existsSync, mkdirSync } from 'node:fs';
import { NODE } from '../../cli/build/paths.ts';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { lacking } from '../kernel/harness.ts';
import { alternate } from './alternate.ts';
import { floorChain, pluginChains } from './chains.ts';
import type { Chain } from './chains.ts';
import { Contender } from './contender.ts';
import type { ContenderOptions } from './contender.ts';
import { median, milliseconds, table } from './figures.ts';
import type { Row, Section } from './figures.ts';
import { makeFloor } from './floor.ts';
import * as goals from './goals.ts';
import { attach, byWho, measureAtOnce, measureLives } from './lives.ts';

const MANY = 100;

const limitedTo = (most: number) => (rounds: number) => Math.min(rounds, most);

/** Names what is missing for comparisons of plugins; undefined when nothing is. */
export function lackingForPlugins(): string | undefined {
  const executables = pluginChains().flatMap((chain) => chain.executables);
  return lacking('perl', 'musl-gcc') ?? executables.find((executable) => !existsSync(executable));
}

/** Opens hosts for all; whatever comes of `work`, they are gone afterwards. `states`: a directory on a real disk. */
export async function withContenders(
  states: string,
  options: ContenderOptions,
  work: (contenders: readonly Contender[]) => Promise<Section>,
): Promise<Section> {
  mkdirSync(states, { recursive: true });
  const contenders: Contender[] = [];
  const chains: readonly Chain[] = [...pluginChains(), floorChain(makeFloor(states))];
  try {
    for (const chain of chains)
      contenders.push(await Contender.start(chain, `${states}/of-${chain.who}`, options));
    const section = await work(contenders);
    const remarks: string[] = [];
    for (const contender of contenders) remarks.push(...(await contender.unserved()));
    return { ...section, notes: [...remarks, ...section.notes] };
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}

async function measureVersion(contenders: readonly Contender[], rounds: number): Promise<Row> {
  const ask = async (c: Contender) => (await c.spawner.time(c.version())).total;
  const times = await alternate(contenders, rounds, ask);
  return { what: 'VERSION', times: byWho(contenders, times, (time: number) => time), goals: goals.VERSION };
}

/**
 * What nobody asks of the reference: netmoor's bridge comes with the first container and goes with the last. The
 * kernel waits twice for all processors (rcu_barrier) to remove a bridge, once for a veth.
 */
async function measureWithBridge(contenders: readonly Contender[], rounds: number): Promise<Row[]> {
  for (const contender of contenders) contender.bridgeStays = false;
  const title = 'the only container, its bridge with it';
  const rows = await measureLives(contenders, 'full', title, { rounds, goals: goals.WITH_BRIDGE });
  for (const contender of contenders) contender.bridgeStays = true;
  return rows.filter(({ what }) => !what.startsWith('CHECK'));
}

/**
 * Beside one that stays: the rules that all share are there then, as the floor's are, and the reference's once it had a
 * container.
 */
async function measureBesideOne(contenders: readonly Contender[], most: number): Promise<Row[]> {
  const upTo = limitedTo(most);
  for (const contender of contenders) await attach(contender, 1, 1);
  return [
    ...(await measureLives(pluginsOf(contenders), 'plain', 'plain bridge', { rounds: upTo(25) })),
    ...(await measureLives(contenders, 'full', 'full chain', { rounds: upTo(40), goals: goals.ONE })),
    ...(await measureAtOnce(contenders, MANY, { rounds: upTo(3), goals: goals.AT_ONCE })),
  ];
}

function pluginsOf(contenders: readonly Contender[]): Contender[] {
  return contenders.filter(({ chain }) => chain.floor === undefined);
}

/** At most so many rounds of each. */
export async function measureAttaching(states: string, most: number): Promise<Section> {
  const upTo = limitedTo(most);
  return withContenders(states, {}, async (contenders) => {
    const plugins = pluginsOf(contenders);
    const [first] = contenders;
    const notes = first === undefined ? [] : [await startCosts(first, upTo(20))];
    const rows = [
      await measureVersion(plugins, upTo(40)),
      ...(await measureWithBridge(plugins, upTo(15))),
      ...(await measureBesideOne(contenders, most)),
    ];
    return { rows, notes };
  });
}

/** What a process costs before it is anybody's doing, and what measuring does. */
async function startCosts(contender: Contender, rounds: number): Promise<string> {
  const starts: Readonly<Record<string, readonly string[]>> = {
    '/bin/true: what measuring costs': ['/bin/true'],
    'the bare runtime: node -e 0': [NODE, '-e', '0'],
    'the executable, without a command': [`${OWN_PLUGINS}/bridge-nat`],
  };
  const rows: string[][] = [];
  for (const [what, argv] of Object.entries(starts)) {
    const times: number[] = [];
    for (let i = 0; i < rounds; i++)
      times.push(
        (await contender.spawner.time([{ argv, environment: plainEnvironment, input: '{}' }])).total,
      );
    rows.push([what, milliseconds(median(times))]);
  }
  return table([['a start of', 'median'], ...rows]);
}
