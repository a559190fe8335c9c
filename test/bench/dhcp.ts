/**
 * `npm run bench -- dhcp`: bridge-nat with dhcp-ipam beside the reference bridge with dhcp, before the same dnsmasq.
 *
 * All take turns, and medians are shown. With --itself the reference runs on both sides: what ratios the machine shows
 * where there is no difference.
 */
import { existsSync } from 'node:fs';
import { lacking } from '../kernel/harness.ts';
import { alternate } from './alternate.ts';
import type { Crowd } from './crowd.ts';
import { DhcpContender, engineWay, ownWay, referenceWay } from './dhcp-contender.ts';
import type { DhcpWay, Life } from './dhcp-contender.ts';
import type { Row, Section } from './figures.ts';
import { DHCP_ADD } from './goals.ts';
import { byWho } from './lives.ts';

type Contenders = readonly DhcpContender[];

const MANY = 100;
const ROUNDS = 20;

function ways(itself: boolean): readonly DhcpWay[] {
  return itself ? [referenceWay, { ...referenceWay, who: 'itself' }] : [referenceWay, ownWay, engineWay];
}

/** Names what is missing for this comparison; undefined when nothing is. */
export function lackingForDhcp(itself: boolean): string | undefined {
  const executables = ways(itself).flatMap((way) => way.executables);
  return lacking('perl', 'dnsmasq') ?? executables.find((executable) => !existsSync(executable));
}

async function measureLives(contenders: Contenders, title: string, rounds: number): Promise<Row[]> {
  const lives = await alternate(contenders, rounds, async (contender) => contender.comeAndGo());
  const pick = (what: string, key: keyof Life): Row => ({
    what: `DHCP ${what}, ${title}`,
    times: byWho(contenders, lives, (life: Life) => life[key]),
  });
  return [{ ...pick('ADD', 'add'), goals: DHCP_ADD }, pick('DEL', 'del')];
}

async function measureAtOnce(contenders: Contenders): Promise<Row> {
  const crowds: Crowd[][] = [];
  for (const contender of contenders) crowds.push([await contender.attachMany(MANY)]);
  return {
    what: `${MANY} DHCP ADDs at once`,
    times: byWho(contenders, crowds, ({ wall }: Crowd) => wall),
    goals: DHCP_ADD,
    remarks: crowds.flat().flatMap(({ remark }) => remark ?? []),
  };
}

/** `states` is a directory on a real disk, for what all keep; at most so many rounds of each. */
export async function measureDhcp(states: string, itself: boolean, most: number): Promise<Section> {
  const rounds = Math.min(ROUNDS, most);
  const contenders: DhcpContender[] = [];
  try {
    for (const way of ways(itself))
      contenders.push(await DhcpContender.start(way, `${states}/dhcp-${way.who}`));
    const alone = await measureLives(contenders, '1 container', rounds);
    const atOnce = await measureAtOnce(contenders);
    const beside = await measureLives(contenders, `beside ${MANY}`, rounds);
    return { rows: [...alone, atOnce, ...beside], notes: [] };
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}
