/** What requests of one thread have done once for all of them. */
import t from 'tap';
import { Gathering } from '../../cli/engine/gathering.ts';

/** Runs each as a request; what `all` was called with, and how each ended. */
async function run(
  works: readonly ((gathering: Gathering, all: (items: readonly string[]) => void) => Promise<void>)[],
  fails: (items: readonly string[]) => boolean = () => false,
): Promise<{ calls: string[][]; ends: string[] }> {
  const gathering = new Gathering(works.length);
  const calls: string[][] = [];
  const all = (items: readonly string[]): void => {
    calls.push([...items]);
    if (fails(items)) throw new Error(`no ${items.join(' ')}`);
  };
  const ends = await Promise.all(
    works.map(async (work) => {
      try {
        await work(gathering, all);
        return 'done';
      } catch (error) {
        return (error as Error).message;
      } finally {
        gathering.ended();
      }
    }),
  );
  return { calls, ends };
}

const wants =
  (...items: string[]) =>
  async (gathering: Gathering, all: (items: readonly string[]) => void): Promise<void> => {
    for (const item of items) await gathering.together('delete', item, all);
  };

t.test('once for all, as soon as everybody waits or has ended', async (t) => {
  t.same(await run([wants('a'), wants('b'), wants('c')]), {
    calls: [['a', 'b', 'c']],
    ends: ['done', 'done', 'done'],
  });
  const late = async (gathering: Gathering, all: (items: readonly string[]) => void): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    await wants('late')(gathering, all);
  };
  t.same((await run([wants('a'), wants(), late])).calls, [['a', 'late']], 'one that wants nothing');
  t.same((await run([wants(), wants()])).calls, []);
  t.same((await run([wants('a')])).calls, [['a']], 'one alone');
});

t.test('again and again', async (t) => {
  const { calls } = await run([wants('a1', 'a2', 'a3'), wants('b1'), wants('c1', 'c2')]);
  t.same(calls, [['a1', 'b1', 'c1'], ['a2', 'c2'], ['a3']]);
});

t.test('where it fails for all, each is tried alone', async (t) => {
  const { calls, ends } = await run([wants('a'), wants('bad'), wants('c')], (items) => items.includes('bad'));
  t.same(calls, [['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
  t.same(ends, ['done', 'no bad', 'done']);
});
