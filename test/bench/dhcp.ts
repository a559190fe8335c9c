/**
 * `npm run bench -- dhcp`: bridge-nat with dhcp-ipam beside the reference bridge with dhcp, before the same dnsmasq.
 *
 * The two take turns, and medians are shown. With --itself the reference runs on both sides: what ratios the machine
 * shows where there is no difference.
 */
import { existsSync } from 'node:fs';
import { lacking } from '../kernel/harness.ts';
import { alternate } from './alternate.ts';
import { DhcpContender, ownWay, referenceWay } from './dhcp-contender.ts';
import type { DhcpWay, Life } from './dhcp-contender.ts';
import { comparisonTable } from './figures.ts';
import type { Comparison } from './figures.ts';

type Pair = readonly [reference: DhcpContender, own: DhcpContender];

const MANY = 100;
const ROUNDS = 20;
const GOAL_ADD = 0.5;

function ways(itself: boolean): [DhcpWay, DhcpWay] {
  return [referenceWay, itself ? referenceWay : ownWay];
}

/** Names what is missing for this comparison; undefined when nothing is. */
export function lackingForDhcp(itself: boolean): string | undefined {
  const executables = ways(itself).flatMap((way) => way.executables);
  return lacking('perl', 'dnsmasq') ?? executables.find((executable) => !existsSync(executable));
}

async function compareLives(pair: Pair, title: string): Promise<Comparison[]> {
  const [reference, own] = await alternate(pair, ROUNDS, async (contender) => contender.comeAndGo());
  const pick = (what: string, key: keyof Life) => ({
    what: `${what}, ${title}`,
    reference: reference.map((life) => life[key]),
    own: own.map((life) => life[key]),
  });
  return [{ ...pick('ADD', 'add'), goal: GOAL_ADD }, pick('DEL', 'del')];
}

async function compare(pair: Pair): Promise<Comparison[]> {
  const [reference, own] = pair;
  const alone = await compareLives(pair, '1 container');
  const atOnce = {
    what: `${MANY} ADDs at once`,
    goal: GOAL_ADD,
    reference: [await reference.attachMany(MANY)],
    own: [await own.attachMany(MANY)],
  };
  return [...alone, atOnce, ...(await compareLives(pair, `beside ${MANY}`))];
}

/** The table of the comparison; `states` is a directory on a real disk, for what both keep. */
export async function measureDhcp(states: string, itself: boolean): Promise<string> {
  const contenders: DhcpContender[] = [];
  try {
    for (const [i, way] of ways(itself).entries())
      contenders.push(await DhcpContender.start(way, `${states}/dhcp-${i}`));
    const [reference, own] = contenders;
    if (reference === undefined || own === undefined) throw new Error('a contender is missing');
    return comparisonTable(await compare([reference, own]));
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}
