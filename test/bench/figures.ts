/**
 * Medians, quartiles, ratios and the printed tables. Times are milliseconds.
 */

/** In the order of the columns; `itself` is the reference once more. */
export const WHO = ['reference', 'itself', 'newest', 'one-shot', 'engine', 'floor'] as const;
export type Who = (typeof WHO)[number];

/** What share of another's median is not to be exceeded. */
export interface Goal {
  readonly who: Who;
  readonly over: Who;
  readonly most: number;
}

/** One thing that all have done. */
export interface Row {
  readonly what: string;
  readonly times: Readonly<Partial<Record<Who, readonly number[]>>>;
  readonly goals?: readonly Goal[];
  /** Whose figures are missing, and why. */
  readonly remarks?: readonly string[];
}

/** What one bench has found. */
export interface Section {
  readonly rows: readonly Row[];
  /** Further tables and remarks. */
  readonly notes: readonly string[];
  /** What is told and not kept. */
  readonly details?: readonly string[];
}

export interface Figure {
  readonly n: number;
  readonly median: number;
  /** The quartiles. */
  readonly low: number;
  readonly high: number;
}

/** A row as it is kept and shown. */
export interface Measured {
  readonly what: string;
  readonly figures: Readonly<Partial<Record<Who, Figure>>>;
  readonly goals: readonly Goal[];
  readonly remarks: readonly string[];
}

/** The value below which that share of the values lies; the lower of two. */
function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;
}

/** The middle value; of an even number of values the lower of the two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function summarise({ what, times, goals = [], remarks = [] }: Row): Measured {
  const figures: Partial<Record<Who, Figure>> = {};
  for (const who of WHO) {
    const values = times[who] ?? [];
    if (values.length === 0) continue;
    const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => rounded(quantile(values, share)));
    if (low === undefined || middle === undefined || high === undefined) continue;
    figures[who] = { n: values.length, median: middle, low, high };
  }
  return { what, figures, goals, remarks };
}

/** To the microsecond: more is no information. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export function milliseconds(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

/** Undefined where one of them was not measured. */
export function ratioOf({ figures }: Measured, who: Who, over: Who): number | undefined {
  const [above, below] = [figures[who]?.median, figures[over]?.median];
  return above === undefined || below === undefined ? undefined : above / below;
}

export function isHeld(measured: Measured, { who, over, most }: Goal): boolean {
  return (ratioOf(measured, who, over) ?? Number.POSITIVE_INFINITY) <= most;
}

/** Columns padded to their widest cell; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, i: number) =>
    i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

function present(rows: readonly Measured[]): Who[] {
  return WHO.filter((who) => rows.some(({ figures }) => figures[who] !== undefined));
}

function cell(figure: Figure | undefined): string {
  if (figure === undefined) return '';
  const { median: middle, low, high } = figure;
  const digits = middle < 10 ? 2 : middle < 1000 ? 1 : 0;
  return `${middle.toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)})`;
}

function timesTable(rows: readonly Measured[]): string {
  const columns = present(rows);
  const lines = rows.map(({ what, figures }) => {
    const counts = Object.values(figures).map(({ n }) => n);
    return [what, String(Math.min(...counts)), ...columns.map((who) => cell(figures[who]))];
  });
  return table([['ms: median (quartiles)', 'n', ...columns], ...lines]);
}

function verdicts(measured: Measured): string {
  return measured.goals
    .filter(({ who, over }) => ratioOf(measured, who, over) !== undefined)
    .map((goal) => {
      const { who, over, most } = goal;
      const beside = over === 'reference' ? '' : ` / ${over}`;
      return `${isHeld(measured, goal) ? 'held' : 'NOT HELD'}: ${who}${beside} <= ${most}`;
    })
    .join('; ');
}

function ratiosTable(rows: readonly Measured[]): string {
  const others = present(rows).filter((who) => who !== 'reference' && who !== 'floor');
  const ratios: [Who, Who][] = others.map((who) => [who, 'reference']);
  if (others.includes('newest')) ratios.push(['engine', 'newest']);
  if (rows.some(({ figures }) => figures.floor)) ratios.push(['engine', 'floor']);
  const lines = rows.map((row) => [
    row.what,
    ...ratios.map(([who, over]) => ratioOf(row, who, over)?.toFixed(3) ?? ''),
    verdicts(row),
  ]);
  const head = ratios.map(([who, over]) => (over === 'reference' ? who : `${who} / ${over}`));
  return table([['share of the reference', ...head, 'goals'], ...lines]);
}

export function tables(rows: readonly Measured[]): string {
  const remarks = rows.flatMap((row) => row.remarks.map((remark) => `${row.what}: ${remark}`));
  return [timesTable(rows), ratiosTable(rows), ...remarks].join('\n\n');
}
