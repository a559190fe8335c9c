/**
 * `npm run bench -- scale [--containers 1000]`: what ADD, CHECK, DEL and packets cost beside 1, 100, 300 and 1,000
 * containers, each with a published port.
 *
 * Debian's reference chain and netmoor take turns; with CNI_REFERENCE_PATH=directory a newer release of the reference
 * as well, on its nftables backends. The reference takes long to come to 1,000: see FILL_BUDGET_MS.
 */
import { existsSync } from 'node:fs';
import { lacking } from '../kernel/harness.ts';
import { alternate } from './alternate.ts';
import { Contender, chains, newestChain } from './contender.ts';
import type { Chain } from './contender.ts';
import { exchangesWith, serveIn } from './exchange.ts';
import { scaleTable } from './scale-figures.ts';
import type { Level, Verbs } from './scale-figures.ts';

const LEVELS = [1, 100, 300, 1000];
const ROUNDS = 15;
const PACKET_ROUNDS = 5;
/** Of one level's measurement of verbs, and of packets. */
const BUDGET_MS = 60_000;
/** Who has not come to a level's containers by then is measured with what it has. */
const FILL_BUDGET_MS = 15 * 60_000;
const PORTION = 20;
const AT_ONCE = 100;

/** Debian's reference, a newer one where its directory is given, netmoor: in this order. */
function competitors(): readonly Chain[] {
  const [reference, own] = chains;
  if (reference === undefined || own === undefined) throw new Error('a contender is missing');
  const newest = process.env['CNI_REFERENCE_PATH'];
  return [reference, ...(newest ? [newestChain(newest)] : []), own];
}

/** Names what is missing for this comparison; undefined when nothing is. */
export function lackingForScale(): string | undefined {
  const executables = competitors().map(({ executable }) => executable);
  return lacking('perl') ?? executables.find((executable) => !existsSync(executable));
}

/** One container comes, is checked, and goes. */
async function comeAndGo(contender: Contender): Promise<Verbs> {
  const [number = 0] = await contender.containers(1);
  const add = await contender.spawner.time(contender.add(number));
  const check = await contender.spawner.time(contender.check(number, add.output));
  const del = await contender.spawner.time(contender.del(number, add.output));
  await contender.removeContainer(number);
  return { add: add.total, check: check.total, del: del.total };
}

interface Live {
  readonly number: number;
  readonly result: string;
}

/** A contender with its live containers. */
class Entrant {
  readonly contender: Contender;
  #live: readonly Live[] = [];

  constructor(contender: Contender) {
    this.contender = contender;
  }

  get live(): number {
    return this.#live.length;
  }

  /** Milliseconds until the last is attached. */
  async attach(count: number, workers: number): Promise<number> {
    const { spawner } = this.contender;
    const numbers = await this.contender.containers(count);
    const { jobs, wall } = await spawner.run(
      workers,
      numbers.map((number) => this.contender.add(number)),
    );
    // Jobs answer in the order in which they end; the container's number is its result's namespace.
    const results = jobs.map(({ output }) => ({
      number: Number(/netns\/c(\d+)"/.exec(output)?.[1]),
      result: output,
    }));
    this.#live = [...this.#live, ...results];
    return wall;
  }

  async fill(target: number): Promise<void> {
    const end = performance.now() + FILL_BUDGET_MS;
    while (this.live < target && performance.now() < end) {
      await this.attach(Math.min(PORTION, target - this.live), 4);
    }
  }

  async detachAll(): Promise<void> {
    for (const { number, result } of this.#live)
      await this.contender.spawner.time(this.contender.del(number, result));
    this.#live = [];
  }

  /** One in the middle of all: who looks through rules in order is halfway. */
  async serve(): Promise<number> {
    const number = this.#live[Math.floor(this.live / 2)]?.number ?? 0;
    await serveIn(this.contender, number);
    return number;
  }
}

async function measureLevel(entrants: readonly Entrant[]): Promise<Level> {
  const live = entrants.map((entrant) => entrant.live);
  const verbs = await alternate(entrants, ROUNDS, async ({ contender }) => comeAndGo(contender), BUDGET_MS);
  const serving = await Promise.all(
    entrants.map(async (entrant) => ({ entrant, container: await entrant.serve() })),
  );
  const exchanges = await alternate(
    serving,
    PACKET_ROUNDS,
    async ({ entrant, container }) => exchangesWith(entrant.contender, container),
    BUDGET_MS,
  );
  return { live, verbs, exchanges };
}

async function measureLevels(entrants: readonly Entrant[], most: number): Promise<string> {
  const levels: Level[] = [];
  let atOnce: readonly number[] = [];
  for (const target of LEVELS.filter((level) => level <= most)) {
    if (target === AT_ONCE) {
      for (const entrant of entrants) await entrant.detachAll();
      atOnce = await inTurn(entrants, (entrant) => entrant.attach(AT_ONCE, AT_ONCE));
    }
    for (const entrant of entrants) await entrant.fill(target);
    levels.push(await measureLevel(entrants));
    console.error(`beside ${target}: measured`);
  }
  const names = entrants.map(({ contender }) => contender.chain.name);
  return scaleTable(names, levels, atOnce);
}

async function inTurn<T>(entrants: readonly Entrant[], ask: (entrant: Entrant) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (const entrant of entrants) answers.push(await ask(entrant));
  return answers;
}

/** The tables, up to so many containers each; `states` is a directory on a real disk, for what all keep. */
export async function measureScale(states: string, most: number): Promise<string> {
  const contenders: Contender[] = [];
  try {
    for (const chain of competitors())
      contenders.push(await Contender.start(chain, `${states}/${chain.name}`, { ipv6: false }));
    return await measureLevels(
      contenders.map((contender) => new Entrant(contender)),
      most,
    );
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}
