/** What `npm run bench -- scale` tells besides the rows: how they grow with the containers, and what packets cost. */
import type { Exchanges } from './exchange.ts';
import { median, ratioOf, summarise, table, WHO } from './figures.ts';
import type { Row, Who } from './figures.ts';
import { GROWTH } from './goals.ts';
import { VERBS } from './lives.ts';

export interface Packets {
  readonly who: Who;
  readonly rounds: readonly Exchanges[];
}

/** What was measured beside so many containers. */
export interface Level {
  /** "beside 300" */
  readonly beside: string;
  /** Of each of VERBS. */
  readonly rows: readonly Row[];
  /** The same of hosts with one container, in turns with these. */
  readonly meanwhile: readonly Row[];
  readonly packets: readonly Packets[];
}

const MEASURES = [
  ['exchanges/s', (each: Exchanges) => each.perSecond, (value: number) => value.toFixed(0)],
  ['exchange p50', (each: Exchanges) => each.p50, (value: number) => `${value.toFixed(3)} ms`],
  ['exchange p99', (each: Exchanges) => each.p99, (value: number) => `${value.toFixed(3)} ms`],
] as const;

function columnsOf(levels: readonly Level[]): Who[] {
  const rows = levels.flatMap((level) => level.rows);
  return WHO.filter((who) => rows.some(({ times }) => (times[who]?.length ?? 0) > 0));
}

/** The medians of each level over those that hosts with one container had meanwhile; netmoor's have goals. */
export function growthTable(levels: readonly Level[]): string {
  const columns = columnsOf(levels);
  const lines = levels.flatMap(({ rows, meanwhile }, level) =>
    VERBS.flatMap((verb, i) => {
      const [row, alone] = [rows[i], meanwhile[i]];
      if (row === undefined || alone === undefined) return [];
      const growth = columns.map((who) => median(row.times[who] ?? []) / median(alone.times[who] ?? []));
      const cells = growth.map((value) => (Number.isNaN(value) ? '' : value.toFixed(2)));
      const verdicts = columns.flatMap((who, at) => {
        const held = (growth[at] ?? Number.NaN) <= GROWTH[verb] ? 'held' : 'NOT HELD';
        // One beside one tells but how far alike ones lie apart.
        return level > 0 && (who === 'one-shot' || who === 'engine')
          ? [`${held}: ${who} <= ${GROWTH[verb]}`]
          : [];
      });
      return [[row.what, ...cells, verdicts.join('; ')]];
    }),
  );
  return table([['grows', ...columns, 'goals'], ...lines]);
}

export function exchangeTable(levels: readonly Level[]): string {
  const names = levels[0]?.packets.map(({ who }) => who) ?? [];
  const rows = MEASURES.flatMap(([what, pick, tell]) =>
    levels.map(({ beside, packets }) => {
      const times = packets.map(({ who, rounds }): [Who, number[]] => [who, rounds.map(pick)]);
      const measured = summarise({ what: `${what}, ${beside}`, times: Object.fromEntries(times) });
      const cells = names.map((who) => tell(measured.figures[who]?.median ?? Number.NaN));
      return [measured.what, ...cells, ratioOf(measured, 'one-shot', 'reference')?.toFixed(2) ?? ''];
    }),
  );
  return table([['TCP exchanges with a published port', ...names, 'netmoor / reference'], ...rows]);
}
