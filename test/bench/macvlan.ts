/**
 * `npm run bench -- --macvlan`: macvlan-v6 beside the reference macvlan on a LAN with a router.
 *
 * The two take turns, and medians are shown. With --itself the reference runs on both sides: what ratios the machine
 * shows where there is no difference.
 */
import { existsSync } from 'node:fs';
import { lacking } from '../kernel/harness.ts';
import { alternate } from './alternate.ts';
import { comparisonTable } from './figures.ts';
import type { Comparison } from './figures.ts';
import { LanContender, ownWay, referenceWay } from './macvlan-contender.ts';
import type { Addressing, Life, Way } from './macvlan-contender.ts';

type Pair = readonly [reference: LanContender, own: LanContender];

const MANY = 100;

/** A life of the reference's container lasts seconds, most of them a random delay: fewer rounds would show chance. */
const BUDGET_MS = 75_000;

/** Names what is missing for this comparison; undefined when nothing is. */
export function lackingForMacvlan(itself: boolean): string | undefined {
  const executables = [referenceWay, ...(itself ? [] : [ownWay])].map((way) => way.executable);
  return lacking('perl', 'radvd', 'tcpdump') ?? executables.find((executable) => !existsSync(executable));
}

async function compareLives(
  pair: Pair,
  addressing: Addressing,
  title: string,
  rounds: number,
): Promise<Comparison[]> {
  const [reference, own] = await alternate(
    pair,
    rounds,
    (contender) => contender.comeAndGo(addressing),
    BUDGET_MS,
  );
  const pick = (what: string, key: keyof Life) => ({
    what: `${what}, ${title}`,
    reference: reference.map((life) => life[key]),
    own: own.map((life) => life[key]),
  });
  return [
    pick('ADD', 'add'),
    pick('ADD until a peer is answered', 'pinged'),
    pick('ADD until past DAD', 'final'),
    pick('DEL', 'del'),
  ];
}

async function compare(pair: Pair): Promise<Comparison[]> {
  const [reference, own] = pair;
  const alone = await compareLives(pair, 'pool', 'pool', 12);
  const slaac = await compareLives(pair, 'slaac', 'SLAAC', 12);
  const what = `${MANY} ADDs at once until a peer is answered by all, pool`;
  const atOnce = {
    what,
    reference: [await reference.attachMany('pool', MANY)],
    own: [await own.attachMany('pool', MANY)],
  };
  const beside = await compareLives(pair, 'pool', `pool, beside ${MANY}`, 12);
  const besideSlaac = await compareLives(pair, 'slaac', `SLAAC, beside ${MANY}`, 8);
  return [...alone, ...slaac, atOnce, ...beside, ...besideSlaac];
}

/** The table of the comparison; `states` is a directory on a real disk, for what both keep. */
export async function measureMacvlan(states: string, itself: boolean): Promise<string> {
  const ways: readonly Way[] = [referenceWay, itself ? referenceWay : ownWay];
  const contenders: LanContender[] = [];
  try {
    for (const [i, way] of ways.entries())
      contenders.push(await LanContender.start(way, `${states}/macvlan-${i}`));
    const [reference, own] = contenders;
    if (reference === undefined || own === undefined) throw new Error('a contender is missing');
    return comparisonTable(await compare([reference, own]));
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}
