/** The tables of `npm run bench -- scale`; a column for each contender, netmoor the last. */
import type { Exchanges } from './exchange.ts';
import { median, milliseconds, table, verdict } from './figures.ts';

/** Milliseconds of the processes of one container's life. */
export interface Verbs {
  readonly add: number;
  readonly check: number;
  readonly del: number;
}

/** What was measured beside so many containers; for each contender, in the same order. */
export interface Level {
  readonly live: readonly number[];
  readonly verbs: readonly (readonly Verbs[])[];
  readonly exchanges: readonly (readonly Exchanges[])[];
}

const GROWTH = 1.2;

type Row = readonly string[];

/** The median of netmoor over that of each other one. */
function ratios(medians: readonly number[]): Row {
  const own = medians.at(-1) ?? Number.NaN;
  return medians.slice(0, -1).map((other) => (own / other).toFixed(2));
}

/** "beside 300"; where somebody has fewer, that is told. */
function beside({ live }: Level): string {
  const most = Math.max(...live);
  return live.every((count) => count === most) ? `beside ${most}` : `beside ${live.join('/')}`;
}

function verbRows(levels: readonly Level[], verb: keyof Verbs): Row[] {
  const [first] = levels;
  const mediansOf = ({ verbs }: Level) => verbs.map((rounds) => median(rounds.map((each) => each[verb])));
  const before = first === undefined ? [] : mediansOf(first);
  return levels.map((level) => {
    const medians = mediansOf(level);
    const growth = medians.map((value, i) => value / (before[i] ?? Number.NaN));
    return [
      `${verb.toUpperCase()}, ${beside(level)}`,
      String(level.verbs.at(-1)?.length ?? 0),
      ...medians.map(milliseconds),
      ...ratios(medians),
      ...growth.map((value) => value.toFixed(2)),
      verdict(growth.at(-1) ?? Number.NaN, GROWTH),
    ];
  });
}

const MEASURES = [
  ['exchanges/s', (each: Exchanges) => each.perSecond, (value: number) => value.toFixed(0)],
  ['exchange p50', (each: Exchanges) => each.p50, (value: number) => `${value.toFixed(3)} ms`],
  ['exchange p99', (each: Exchanges) => each.p99, (value: number) => `${value.toFixed(3)} ms`],
] as const;

function exchangeRows(levels: readonly Level[]): Row[] {
  return MEASURES.flatMap(([what, pick, tell]) =>
    levels.map((level) => {
      const medians = level.exchanges.map((rounds) => median(rounds.map(pick)));
      return [`${what}, ${beside(level)}`, ...medians.map(tell), ...ratios(medians)];
    }),
  );
}

/** `atOnce`: milliseconds that 100 ADDs at once took; empty when that was not measured. */
export function scaleTable(
  names: readonly string[],
  levels: readonly Level[],
  atOnce: readonly number[],
): string {
  const overs = names.slice(0, -1).map((name) => `/ ${name}`);
  const growth = names.map((name) => `${name} grows`);
  const verbs: readonly (keyof Verbs)[] = ['add', 'check', 'del'];
  const tables = [
    [
      ['medians of whole processes', 'n', ...names, ...overs, ...growth, 'goal'],
      ...verbs.flatMap((verb) => verbRows(levels, verb)),
    ],
    [['TCP exchanges with a published port', ...names, ...overs], ...exchangeRows(levels)],
    ...(atOnce.length > 0
      ? [
          [
            ['wall clock', ...names, ...overs],
            ['100 ADDs at once', ...atOnce.map(milliseconds), ...ratios(atOnce)],
          ],
        ]
      : []),
  ];
  return tables.map(table).join('\n\n');
}
