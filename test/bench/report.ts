/**
 * What `--write` keeps: results.json has the figures of each bench's last run, README.md their tables between markers,
 * bench.svg the chart of them all.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.ts';
import { summarise, tables } from './figures.ts';
import type { Measured, Section } from './figures.ts';

/** A bench's last run. */
export interface Result {
  readonly machine: string;
  readonly rows: readonly Measured[];
  readonly notes: readonly string[];
}

export type Results = Readonly<Record<string, Result>>;

const at = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const RESULTS = at('results.json');
const README = at('README.md');
const CHART = at('bench.svg');

export function resultOf(section: Section, machine: string): Result {
  return { machine, rows: section.rows.map(summarise), notes: section.notes };
}

export function resultText({ machine, rows, notes }: Result): string {
  return [machine, ...(rows.length > 0 ? [tables(rows)] : []), ...notes].join('\n\n');
}

/** The text with what stands between the markers of that name replaced; throws where it has none. */
export function betweenMarkers(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- bench: ${name} -->`, `<!-- end of bench: ${name} -->`];
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no markers of ${name}`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}

/** Keeps the result of the bench of that name beside those of the others. */
export function write(name: string, result: Result): void {
  const before = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Results) : {};
  const results = { ...before, [name]: result };
  const text = `\n\`\`\`\n${resultText(result)}\n\`\`\`\n`;
  const readme = betweenMarkers(
    betweenMarkers(readFileSync(README, 'utf8'), name, text),
    'chart',
    '\n![Time in shares of the reference](bench.svg)\n',
  );
  writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(README, readme);
  writeFileSync(CHART, chart(Object.values(results).flatMap(({ rows }) => rows)));
}
