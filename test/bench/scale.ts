/**
 * `npm run bench -- scale [--containers 1000]`: what ADD, CHECK, DEL and packets cost beside 1, 100, 300 and 1,000
 * containers, each with a published port; and 100 ADDs and DELs at once.
 *
 * All take turns; the reference takes long to come to 1,000: see FILL_BUDGET_MS. Each has a twin, a host that stays at
 * one container, and the twins take their turns among them: a machine is not as fast in the tenth minute as in the
 * first, and what is said to grow is to be compared with what was measured at the same time.
 */
import { alternate } from './alternate.ts';
import { withContenders } from './attach.ts';
import type { Contender } from './contender.ts';
import { exchangesWith, serveIn } from './exchange.ts';
import type { Row, Section } from './figures.ts';
import * as goals from './goals.ts';
import { attach, live, measureAtOnce, rowsOf } from './lives.ts';
import type { Goals, Live } from './lives.ts';
import { exchangeTable, growthTable } from './scale-figures.ts';
import type { Level, Packets } from './scale-figures.ts';

const LEVELS = [1, 100, 300, 1000];
const GOALS: Readonly<Record<number, Goals>> = { 1: goals.ONE, 1000: goals.THOUSAND };
const ROUNDS = 25;
const PACKET_ROUNDS = 5;
/** Of one level's measurement of verbs, and of packets. */
const BUDGET_MS = 90_000;
/** Who has not come to a level's containers by then is measured with what it has. */
const FILL_BUDGET_MS = 15 * 60_000;
const PORTION = 20;
const AT_ONCE = 100;

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

  /** Whether there are packets of its own to measure: the engine's rules are those of the one-shot. */
  get hasPackets(): boolean {
    const { engine, floor } = this.contender.chain;
    return !engine && !floor;
  }

  async fill(target: number): Promise<void> {
    const end = performance.now() + FILL_BUDGET_MS;
    while (this.live < target && performance.now() < end) {
      const count = Math.min(PORTION, target - this.live);
      this.#live = [...this.#live, ...(await attach(this.contender, count, 4)).live];
    }
  }

  /** One in the middle of all: who looks through rules in order is halfway. */
  async serve(): Promise<number> {
    const number = this.#live[Math.floor(this.live / 2)]?.number ?? 0;
    await serveIn(this.contender, number);
    return number;
  }
}

/** "beside 300"; who has fewer is told. */
function besideText(entrants: readonly Entrant[], target: number): string {
  const fewer = entrants.filter(({ live }) => live < target);
  const told = fewer.map(({ contender, live }) => `${contender.who}: ${live}`).join(', ');
  return `beside ${target}${told === '' ? '' : ` (${told})`}`;
}

async function measurePackets(entrants: readonly Entrant[], rounds: number): Promise<Packets[]> {
  const serving: { contender: Contender; container: number }[] = [];
  for (const entrant of entrants.filter(({ hasPackets }) => hasPackets))
    serving.push({ contender: entrant.contender, container: await entrant.serve() });
  const exchanges = await alternate(
    serving,
    rounds,
    async ({ contender, container }) => exchangesWith(contender, container),
    BUDGET_MS,
  );
  return serving.map(({ contender }, i) => ({ who: contender.who, rounds: exchanges[i] ?? [] }));
}

async function measureLevel(
  entrants: readonly Entrant[],
  twins: readonly Entrant[],
  target: number,
  most: number,
): Promise<Level> {
  for (const entrant of entrants) await entrant.fill(target);
  for (const twin of twins) await twin.fill(1);
  const many = entrants.map(({ contender }) => contender);
  const one = twins.map(({ contender }) => contender);
  const beside = besideText(entrants, target);
  const options = { rounds: Math.min(ROUNDS, most), budgetMs: BUDGET_MS };
  const lives = await live([...many, ...one], 'full', options);
  const rows = rowsOf(many, lives.slice(0, many.length), beside, GOALS[target]);
  const meanwhile = rowsOf(one, lives.slice(many.length), 'beside 1 meanwhile');
  const packets = await measurePackets(entrants, Math.min(PACKET_ROUNDS, most));
  console.error(`${beside}: measured`);
  return { beside, rows, meanwhile, packets };
}

function enter(contenders: readonly Contender[]): Entrant[] {
  return contenders.map((contender) => new Entrant(contender));
}

async function measureAll(
  contenders: readonly Contender[],
  theirTwins: readonly Contender[],
  containers: number,
  most: number,
): Promise<Section> {
  const entrants = enter(contenders);
  const twins = enter(theirTwins);
  const levels: Level[] = [];
  const atOnce: Row[] = [];
  for (const target of LEVELS.filter((level) => level <= containers)) {
    levels.push(await measureLevel(entrants, twins, target, most));
    if (target === 1 && containers >= AT_ONCE) {
      const options = { rounds: 1, goals: goals.AT_ONCE };
      atOnce.push(...(await measureAtOnce(contenders, AT_ONCE, options)));
    }
  }
  const rows = [...levels.flatMap((level) => level.rows), ...atOnce];
  return { rows, notes: [growthTable(levels), exchangeTable(levels)] };
}

/** Up to `containers` each; `states` is a directory on a real disk, for what all keep; at most so many rounds. */
export async function measureScale(states: string, containers: number, most: number): Promise<Section> {
  const options = { ipv6: false };
  return withContenders(states, options, async (contenders) =>
    withContenders(`${states}/twins`, options, async (twins) =>
      measureAll(contenders, twins, containers, most),
    ),
  );
}
