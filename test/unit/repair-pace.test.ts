/** When the engine looks at the rules again, by a clock that is told the time. */
import t from 'tap';
import { Pace } from '../../cli/repair/pace.ts';

t.test('what is its own at once, what others change when they have done', async (t) => {
  const pace = new Pace();
  t.equal(pace.due, undefined);
  pace.changed(1000, 'ways');
  const first = pace.due ?? 0;
  t.ok(first > 1000);
  pace.changed(1100, 'ways');
  t.ok((pace.due ?? 0) > first, 'each change is followed by others');
  pace.changed(1200, 'tables');
  const soon = pace.due ?? 0;
  t.ok(soon < first + 100, 'its own is not held up by them');
  pace.changed(1201, 'ways');
  t.ok((pace.due ?? 0) >= soon);
  pace.begin();
  t.equal(pace.due, undefined);
});

t.test('who never has done is not waited for', async (t) => {
  const pace = new Pace();
  for (let now = 0; now < 10_000; now += 100) pace.changed(now, 'ways');
  t.ok((pace.due ?? Infinity) <= 1000);
});

t.test('looking takes a share of the time', async (t) => {
  const pace = new Pace();
  pace.changed(0, 'tables');
  pace.begin();
  pace.done(0, 300, false);
  pace.changed(301, 'tables');
  t.ok((pace.due ?? 0) >= 300 + 3000);
});

t.test('a fight is fought ever more slowly, and forgotten', async (t) => {
  const pace = new Pace();
  const waits: number[] = [];
  let now = 0;
  for (let round = 0; round < 20; round++) {
    pace.changed(now, 'tables');
    now = pace.due ?? 0;
    pace.begin();
    waits.push(pace.done(now, now + 5, true));
    now += 5;
  }
  t.same(waits.slice(0, 3), [50, 50, 50], 'the first ones cost no more than their share');
  for (const [at, wait] of waits.entries())
    if (at > 3) t.ok(wait >= (waits[at - 1] ?? 0), 'each waits at least as long as the one before');
  t.equal(waits.at(-1), 60_000);
  t.equal(pace.repairs, 20);
  now += 60_000 + 120_000;
  pace.changed(now, 'tables');
  pace.begin();
  t.equal(pace.done(now, now + 5, true), 50);
  t.equal(pace.repairs, 1);
});

t.test('a look that was put off is not put off for ever', async (t) => {
  const pace = new Pace();
  pace.later(2000);
  pace.later(3000);
  t.equal(pace.due, 2000);
});
