/** lib/base/timer-queue.ts against a sorted list, with random operations. */
import t from 'tap';
import { TimerQueue } from '../../lib/base/timer-queue.ts';
import type { Entry } from '../../lib/base/timer-queue.ts';
import { randomFrom } from './ipam-ledger.ts';

t.test('by hand', async (t) => {
  const queue = new TimerQueue<string>();
  t.equal(queue.first, undefined);
  t.equal(queue.takeDue(Number.POSITIVE_INFINITY), undefined);
  const late = queue.put(30, 'late');
  const early = queue.put(10, 'early');
  t.equal(queue.first, early);
  t.equal(queue.takeDue(9), undefined, 'its time has not come');
  t.equal(queue.takeDue(10), 'early', 'at its time it has');
  queue.remove(early);
  t.equal(queue.size, 1, 'what is out is out');
  queue.remove(late);
  queue.remove(late);
  t.equal(queue.size, 0);
});

for (let seed = 1; seed <= 30; seed++) {
  t.test(`seed ${seed}: the earliest first, whatever was taken out`, async (t) => {
    const random = randomFrom(seed);
    const queue = new TimerQueue<number>();
    const model: Entry<number>[] = [];
    const everything: Entry<number>[] = [];
    const mistakes: string[] = [];
    const least = (): number => Math.min(...model.map(({ at }) => at));
    for (let step = 0; step < 2000; step++) {
      const dice = random();
      if (dice < 0.5) {
        // Few points in time, so that many are equal.
        const entry = queue.put(Math.floor(random() * 50), step);
        model.push(entry);
        everything.push(entry);
      } else if (dice < 0.75 && everything.length > 0) {
        const entry = everything[Math.floor(random() * everything.length)] as Entry<number>;
        queue.remove(entry);
        if (model.includes(entry)) model.splice(model.indexOf(entry), 1);
      } else {
        const now = Math.floor(random() * 50);
        const due = model.length > 0 && least() <= now;
        const expected: (number | undefined)[] = due
          ? model.filter(({ at }) => at === least()).map(({ item }) => item)
          : [undefined];
        const taken = queue.takeDue(now);
        if (!expected.includes(taken)) mistakes.push(`step ${step}: ${taken} instead of one of ${expected}`);
        if (taken !== undefined)
          model.splice(
            model.findIndex(({ item }) => item === taken),
            1,
          );
      }
      if (queue.size !== model.length)
        mistakes.push(`step ${step}: ${queue.size} instead of ${model.length}`);
      if (model.length > 0 && queue.first?.at !== least())
        mistakes.push(`step ${step}: first ${queue.first?.at}`);
    }
    t.strictSame(mistakes, []);
    const rest: number[] = [];
    for (let first = queue.first; first !== undefined; first = queue.first) {
      rest.push(first.at);
      queue.remove(first);
    }
    t.strictSame(
      rest,
      model.map(({ at }) => at).sort((a, b) => a - b),
    );
  });
}
