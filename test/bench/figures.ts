/**
 * Medians, ratios and the printed table.
 */

/** The middle value; of an even number of values the lower of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

/** Milliseconds of both. */
export interface Times {
  readonly reference: readonly number[];
  readonly own: readonly number[];
}

/** One line of the comparison, and what share of the reference's time is to be held (design goal). */
export interface Comparison extends Times {
  readonly what: string;
  readonly goal?: number;
}

export function milliseconds(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(1)} ms`;
}

export function verdict(ratio: number, goal: number | undefined): string {
  if (goal === undefined) return '';
  return `${ratio <= goal ? 'held' : 'NOT HELD'} (<= ${goal})`;
}

/** Columns padded to their widest cell; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, i: number) =>
    i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** Medians first, which the goals are about; then the best of each, which a busy machine disturbs least. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const head = ['whole processes', 'n', 'reference', 'netmoor', 'ratio', 'goal', 'best', 'best', 'ratio'];
  const rows = comparisons.map(({ what, reference, own, goal }) => {
    const ratio = median(own) / median(reference);
    const times = [milliseconds(median(reference)), milliseconds(median(own))];
    const best = [Math.min(...reference), Math.min(...own)] as const;
    const bests = [...best.map(milliseconds), (best[1] / best[0]).toFixed(2)];
    return [what, String(own.length), ...times, ratio.toFixed(2), verdict(ratio, goal), ...bests];
  });
  return table([head, ...rows]);
}

/** How the cost grows with the number of live containers: medians with many over medians with few. */
export function growthTable(few: readonly Comparison[], many: readonly Comparison[], goal: number): string {
  const rows = few.map((before, i) => {
    const after = many[i] ?? before;
    const growth = (pick: (c: Comparison) => readonly number[]) => median(pick(after)) / median(pick(before));
    const own = growth((c) => c.own);
    return [
      `${after.what} / ${before.what}`,
      growth((c) => c.reference).toFixed(2),
      own.toFixed(2),
      verdict(own, goal),
    ];
  });
  return table([['growth', 'reference', 'netmoor', 'goal'], ...rows]);
}

export function plainTable(
  title: string,
  rows: readonly { readonly what: string; readonly times: readonly number[] }[],
): string {
  return table([[title, 'median'], ...rows.map(({ what, times }) => [what, milliseconds(median(times))])]);
}
