/**
 * `npm run bench -- macvlan`: macvlan-v6 beside the reference macvlan on a LAN with a router.
 *
 * All take turns, and medians are shown. With --itself the reference runs on both sides: what ratios the machine shows
 * where there is no difference.
 */
import { existsSync } from 'node:fs';
import { lacking } from '../kernel/harness.ts';
import { alternate } from './alternate.ts';
import type { Crowd } from './crowd.ts';
import type { Row, Section } from './figures.ts';
import { byWho } from './lives.ts';
import { LanContender, engineWay, ownWay, referenceWay } from './macvlan-contender.ts';
import type { Addressing, Life, Way } from './macvlan-contender.ts';

type Contenders = readonly LanContender[];

const MANY = 100;

/** A life of the reference's container lasts seconds, most of them a random delay: fewer rounds would show chance. */
const BUDGET_MS = 75_000;

function waysOf(itself: boolean): readonly Way[] {
  return itself ? [referenceWay, { ...referenceWay, who: 'itself' }] : [referenceWay, ownWay, engineWay];
}

/** Names what is missing for this comparison; undefined when nothing is. */
export function lackingForMacvlan(itself: boolean): string | undefined {
  const executables = waysOf(itself).flatMap((way) => way.executables);
  return lacking('perl', 'radvd', 'tcpdump') ?? executables.find((executable) => !existsSync(executable));
}

async function measureLives(
  contenders: Contenders,
  addressing: Addressing,
  title: string,
  rounds: number,
): Promise<Row[]> {
  const live = async (contender: LanContender): Promise<Life> => contender.comeAndGo(addressing);
  const lives = await alternate(contenders, rounds, live, BUDGET_MS);
  const pick = (what: string, key: keyof Life): Row => ({
    what: `macvlan ${what}, ${title}`,
    times: byWho(contenders, lives, (life: Life) => life[key]),
  });
  return [
    pick('ADD', 'add'),
    pick('ADD until a peer is answered', 'pinged'),
    pick('ADD until past DAD', 'final'),
    pick('DEL', 'del'),
  ];
}

async function measureAtOnce(contenders: Contenders): Promise<Row> {
  const crowds: Crowd[][] = [];
  for (const contender of contenders) crowds.push([await contender.attachMany('pool', MANY)]);
  return {
    what: `${MANY} macvlan ADDs at once until all are answered`,
    times: byWho(contenders, crowds, ({ wall }: Crowd) => wall),
    remarks: crowds.flat().flatMap(({ remark }) => remark ?? []),
  };
}

/** `states` is a directory on a real disk, for what all keep; at most so many rounds of each. */
export async function measureMacvlan(states: string, itself: boolean, most: number): Promise<Section> {
  const upTo = (rounds: number) => Math.min(rounds, most);
  const contenders: LanContender[] = [];
  try {
    for (const way of waysOf(itself))
      contenders.push(await LanContender.start(way, `${states}/macvlan-${way.who}`));
    const rows = [
      ...(await measureLives(contenders, 'pool', 'pool', upTo(12))),
      ...(await measureLives(contenders, 'slaac', 'SLAAC', upTo(12))),
      await measureAtOnce(contenders),
      ...(await measureLives(contenders, 'pool', `pool, beside ${MANY}`, upTo(12))),
    ];
    const notes: string[] = [];
    for (const contender of contenders) notes.push(...(await contender.unserved()));
    return { rows, notes };
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}
