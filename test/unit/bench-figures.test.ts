/** What the bench tells of its times: medians, verdicts, the chart, the README's parts. */
import t from 'tap';
import { chart } from '../bench/chart.ts';
import { isHeld, median, ratioOf, summarise, tables } from '../bench/figures.ts';
import type { Goal } from '../bench/figures.ts';
import { betweenMarkers } from '../bench/report.ts';
import { exchangeTable, growthTable } from '../bench/scale-figures.ts';

const GOAL: Goal = { who: 'engine', over: 'reference', most: 0.1 };

const ROW = {
  what: 'ADD <full>',
  times: { reference: [100, 80, 90, 300, 95], engine: [9, 8, 30], 'one-shot': [50, 40, 60] },
  goals: [GOAL],
};

t.test('medians and quartiles', async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 3, 2]), 2, 'the lower of two');
  t.ok(Number.isNaN(median([])));
  const { figures } = summarise(ROW);
  t.same(figures.reference, { n: 5, median: 95, low: 90, high: 100 });
  t.equal(figures.floor, undefined);
});

t.test('goals', async (t) => {
  const measured = summarise(ROW);
  t.equal(ratioOf(measured, 'engine', 'reference'), 9 / 95);
  t.equal(ratioOf(measured, 'engine', 'floor'), undefined);
  t.ok(isHeld(measured, GOAL));
  t.notOk(isHeld(measured, { ...GOAL, most: 0.09 }));
  t.notOk(isHeld(measured, { ...GOAL, who: 'newest' }), 'who was not measured holds nothing');
  t.match(tables([measured]), /ADD <full> +0\.526 +0\.095 +held: engine <= 0\.1$/m);
  const slow = summarise({
    ...ROW,
    times: { ...ROW.times, engine: [20] },
    remarks: ['engine: 3 of 4 failed'],
  });
  t.match(tables([slow]), /NOT HELD: engine <= 0\.1$/m);
  t.match(tables([slow]), /^ADD <full>: engine: 3 of 4 failed$/m);
});

/** Of bars: whose, where they begin, how wide they are. */
function barsIn(svg: string): { who: string | undefined; x: number; width: number }[] {
  const pattern = /<rect class="([a-z-]+)" x="([\d.]+)" y="\d+" width="([\d.]+)" height="9"\/>/g;
  return [...svg.matchAll(pattern)].map(([, who, x, width]) => ({ who, x: Number(x), width: Number(width) }));
}

t.test('the chart', async (t) => {
  const slower = { what: 'VERSION', times: { reference: [2], 'one-shot': [20], floor: [0.02] } };
  const lonely = { what: 'nobody else', times: { reference: [2] } };
  const svg = chart([ROW, slower, lonely].map(summarise));
  const bars = barsIn(svg);
  t.same(
    bars.map(({ who }) => who),
    ['one-shot', 'engine', 'one-shot', 'floor'],
  );
  const [half, tenth, ten, hundredth] = bars;
  const one = (half?.x ?? 0) + (half?.width ?? 0);
  t.equal(((tenth?.x ?? 0) + (tenth?.width ?? 0)).toFixed(0), one.toFixed(0), 'bars of the faster end at 1');
  t.equal(ten?.x.toFixed(0), one.toFixed(0), 'those of the slower begin there');
  t.ok(Math.abs((hundredth?.width ?? 0) - 2 * (ten?.width ?? 0)) < 0.5, 'the axis is logarithmic');
  t.equal([...svg.matchAll(/class="goal"/g)].length, 1);
  t.match(svg, 'ADD &lt;full&gt;');
  t.notMatch(svg, /<full>|NaN|nobody else/);
  t.match(svg, 'prefers-color-scheme: dark');
});

t.test('parts of the README', async (t) => {
  const text = 'a\n<!-- bench: x -->\nold\n<!-- end of bench: x -->\nz\n';
  t.equal(betweenMarkers(text, 'x', 'new $&'), 'a\n<!-- bench: x -->\nnew $&\n<!-- end of bench: x -->\nz\n');
  t.throws(() => betweenMarkers(text, 'y', 'new'), /no markers of y/);
});

t.test('growth and packets', async (t) => {
  const packets = (perSecond: number) => [
    { who: 'reference' as const, rounds: [{ perSecond: 100, p50: 1, p99: 2 }] },
    { who: 'one-shot' as const, rounds: [{ perSecond, p50: 1, p99: 2 }] },
  ];
  const one = { beside: 'beside 1', rows: [ROW], meanwhile: [ROW], packets: packets(100) };
  const many = { what: 'ADD, beside 300', times: { reference: [950], engine: [9.5], 'one-shot': [80] } };
  const levels = [one, { beside: 'beside 300', rows: [many], meanwhile: [ROW], packets: packets(150) }];
  const growth = /^ADD, beside 300 +10\.00 +1\.60 +1\.06 +NOT HELD: one-shot <= 1\.1; held: engine <= 1\.1$/m;
  t.match(growthTable(levels), growth);
  t.match(exchangeTable(levels), /^exchanges\/s, beside 300 +100 +150 +1\.50$/m);
});
