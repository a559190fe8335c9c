/** Containers that come and go, one at a time and many at once, as rows of figures. */
import { alternate } from './alternate.ts';
import type { Network } from './chains.ts';
import type { Contender } from './contender.ts';
import { crowd } from './crowd.ts';
import type { Crowd } from './crowd.ts';
import type { Goal, Row, Who } from './figures.ts';

/** In the order of a container's life. */
export const VERBS = ['ADD', 'CHECK', 'DEL'] as const;
export type Verb = (typeof VERBS)[number];

/** Milliseconds of the processes of one container's life; the floor checks nothing. */
export type Life = Readonly<Record<'ADD' | 'DEL', number> & { CHECK?: number }>;

export type Goals = Readonly<Partial<Record<Verb, readonly Goal[]>>>;

/** One container comes, is checked, and goes; each time it is seen whether it did. */
export async function comeAndGo(contender: Contender, network: Network): Promise<Life> {
  const { spawner } = contender;
  const numbers = await contender.containers(1);
  const [number = 0] = numbers;
  const add = await spawner.time(contender.add(number, network));
  await contender.expectLinks(numbers, true);
  const checks = contender.check(number, add.output, network);
  const check = checks.length > 0 ? await spawner.time(checks) : undefined;
  const del = await spawner.time(contender.del(number, add.output, network));
  await contender.expectLinks(numbers, false);
  await contender.removeContainers(numbers);
  return { ADD: add.total, DEL: del.total, ...(check && { CHECK: check.total }) };
}

/** The times of each, by who they are. */
export function byWho<T>(
  contenders: readonly { readonly who: Who }[],
  results: readonly (readonly T[])[],
  pick: (result: T) => number | undefined,
): Row['times'] {
  const entries = contenders.map(({ who }, i): [Who, number[]] => [
    who,
    (results[i] ?? []).map(pick).filter((value) => value !== undefined),
  ]);
  return Object.fromEntries(entries);
}

/** Lives of containers of each in turns, by contender. */
export async function live(
  contenders: readonly Contender[],
  network: Network,
  { rounds, budgetMs }: { rounds: number; budgetMs?: number },
): Promise<readonly (readonly Life[])[]> {
  return alternate(contenders, rounds, async (contender) => comeAndGo(contender, network), budgetMs);
}

/** A row for each verb. */
export function rowsOf(
  contenders: readonly Contender[],
  lives: readonly (readonly Life[])[],
  title: string,
  goals: Goals = {},
): Row[] {
  return VERBS.map((verb) => ({
    what: `${verb}, ${title}`,
    times: byWho(contenders, lives, (life: Life) => life[verb]),
    goals: goals[verb] ?? [],
  }));
}

export async function measureLives(
  contenders: readonly Contender[],
  network: Network,
  title: string,
  { rounds, goals }: { rounds: number; goals?: Goals },
): Promise<Row[]> {
  return rowsOf(contenders, await live(contenders, network, { rounds }), title, goals);
}

/** A container that is attached, by what ADD answered. */
export interface Live {
  readonly number: number;
  readonly result: string;
}

/** Attaches `count` containers, so many at a time. */
export async function attach(
  contender: Contender,
  count: number,
  workers: number,
): Promise<Crowd & { readonly live: readonly Live[] }> {
  const numbers = await contender.containers(count);
  const jobs = numbers.map((number) => contender.add(number));
  const result = await crowd(contender, jobs, workers);
  await contender.expectLinks(numbers, true);
  return {
    ...result,
    live: numbers.map((number, i) => ({ number, result: result.timings[i]?.output ?? '' })),
  };
}

/** Detaches them, so many at a time. */
async function detach(contender: Contender, live: readonly Live[], workers: number): Promise<Crowd> {
  const numbers = live.map(({ number }) => number);
  const jobs = live.map(({ number, result }) => contender.del(number, result));
  const result = await crowd(contender, jobs, workers);
  await contender.expectLinks(numbers, false);
  await contender.removeContainers(numbers);
  return result;
}

type Walls = Readonly<Record<'ADD' | 'DEL', Crowd>>;

/** As many containers at once as there are; wall clock. */
export async function measureAtOnce(
  contenders: readonly Contender[],
  count: number,
  { rounds, goals = {} }: { rounds: number; goals?: Goals },
): Promise<Row[]> {
  const walls = contenders.map((): Walls[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, contender] of contenders.entries()) {
      const { live, ...added } = await attach(contender, count, count);
      walls[i]?.push({ ADD: added, DEL: await detach(contender, live, count) });
    }
  return (['ADD', 'DEL'] as const).map((verb) => ({
    what: `${count} ${verb}s at once`,
    times: byWho(contenders, walls, (each: Walls) => each[verb].wall),
    goals: goals[verb] ?? [],
    remarks: walls.flat().flatMap((each) => each[verb].remark ?? []),
  }));
}
