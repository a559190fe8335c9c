/**
 * The chart of ratios: for each row how long everybody took in shares of the reference's median, as bars on a
 * logarithmic axis that begin at 1: to the left who is faster, to the right who is slower. A tick is the engine's goal.
 */
import { ratioOf } from './figures.ts';
import type { Measured, Who } from './figures.ts';

const SHOWN: readonly Who[] = ['newest', 'one-shot', 'engine', 'floor'];

const NAMES: Readonly<Partial<Record<Who, string>>> = {
  newest: 'newest reference',
  'one-shot': 'netmoor, one-shot',
  engine: 'netmoor with engine and launcher',
  floor: 'floor: the kernel alone',
};

const WIDTH = 900;
const LEFT = 300;
const RIGHT = 70;
const TOP = 70;
/** Where the legend's entries begin. */
const LEGEND = [20, 170, 320, 590];
const BAR = 9;
const GAP = 10;

/** Colours that can be told apart on white and on black, by people who see few of them as well. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 14px; font-weight: 600; }
  .value { font-size: 9px; }
  .ground { fill: #ffffff; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .one { stroke: #1f2328; stroke-width: 1.5; }
  .goal { stroke: #1f2328; stroke-width: 2; }
  .newest { fill: #8c959f; }
  .one-shot { fill: #e69f00; }
  .engine { fill: #0072b2; }
  .floor { fill: #009e73; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .ground { fill: #0d1117; }
    .grid { stroke: #30363d; }
    .one, .goal { stroke: #e6edf3; }
    .newest { fill: #6e7681; }
    .engine { fill: #56b4e9; }
  }`;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

interface Bar {
  readonly who: Who;
  readonly ratio: number;
}

function barsOf(row: Measured): Bar[] {
  return SHOWN.flatMap((who) => {
    const ratio = ratioOf(row, who, 'reference');
    return ratio !== undefined && Number.isFinite(ratio) && ratio > 0 ? [{ who, ratio }] : [];
  });
}

/** Where a ratio stands; the axis spans whole powers of ten around all of them. */
function axis(ratios: readonly number[]): {
  readonly x: (ratio: number) => number;
  readonly ticks: number[];
} {
  const first = Math.floor(Math.log10(Math.min(0.5, ...ratios)));
  const last = Math.log10(Math.max(2, ...ratios) * 1.1);
  const x = (ratio: number): number =>
    LEFT + ((Math.log10(ratio) - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const decades = Array.from({ length: Math.ceil(last) - first + 1 }, (_, i) => 10 ** (first + i));
  const ticks = decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]);
  return { x, ticks: ticks.filter((tick) => Math.log10(tick) <= last) };
}

const number = (value: number): string => value.toFixed(1);

function rectangle({ who, ratio }: Bar, y: number, x: (ratio: number) => number): string {
  const [from, to] = [Math.min(x(ratio), x(1)), Math.max(x(ratio), x(1))];
  const bar = `<rect class="${who}" x="${number(from)}" y="${y}" width="${number(to - from)}" height="${BAR}"/>`;
  const beside = ratio < 1 ? `x="${number(from - 4)}" text-anchor="end"` : `x="${number(to + 4)}"`;
  return `${bar}<text class="value" ${beside} y="${y + BAR - 1}">${Number(ratio.toPrecision(2))}</text>`;
}

function legend(): string {
  return SHOWN.map((who, i) => {
    const x = LEGEND[i] ?? 0;
    return `<rect class="${who}" x="${x}" y="34" width="12" height="12"/><text x="${x + 18}" y="44">${NAMES[who]}</text>`;
  }).join('\n');
}

function group(row: Measured, y: number, x: (ratio: number) => number): string {
  const bars = barsOf(row);
  const lines = bars.map((bar, i) => rectangle(bar, y + i * BAR, x));
  const goal = row.goals.find(({ who, over }) => who === 'engine' && over === 'reference');
  const place = bars.findIndex(({ who }) => who === 'engine');
  if (goal !== undefined && place >= 0) {
    const [at, top] = [number(x(goal.most)), y + place * BAR];
    lines.push(`<line class="goal" x1="${at}" x2="${at}" y1="${top - 1}" y2="${top + BAR + 1}"/>`);
  }
  const middle = y + (bars.length * BAR) / 2 + 4;
  return [
    `<text x="${LEFT - 40}" y="${middle}" text-anchor="end">${escaped(row.what)}</text>`,
    ...lines,
  ].join('\n');
}

/** An SVG document of the rows in which somebody stands beside the reference. */
export function chart(rows: readonly Measured[]): string {
  const shown = rows.filter((row) => barsOf(row).length > 0);
  const { x, ticks } = axis(shown.flatMap(barsOf).map(({ ratio }) => ratio));
  const tops = shown.map((_, i) =>
    shown.slice(0, i).reduce((sum, row) => sum + barsOf(row).length * BAR + GAP, TOP),
  );
  const bottom = shown.reduce((sum, row) => sum + barsOf(row).length * BAR + GAP, TOP);
  const grid = ticks.map((tick) => {
    const at = number(x(tick));
    const line = `<line class="${tick === 1 ? 'one' : 'grid'}" x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${bottom}"/>`;
    return `${line}<text x="${at}" y="${bottom + 16}" text-anchor="middle">${Number(tick.toPrecision(1))}</text>`;
  });
  const height = bottom + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">
<title>Time in shares of the reference plugins'</title>
<style>${STYLE}
</style>
<rect class="ground" width="${WIDTH}" height="${height}"/>
<text class="title" x="20" y="20">Time in shares of the reference plugins' (1), medians; a tick is the goal with engine</text>
${legend()}
${grid.join('\n')}
${shown.map((row, i) => group(row, tops[i] ?? TOP, x)).join('\n')}
</svg>
`;
}
