/** SECURITY.md names a test for each thing it says: every one of them exists, and every number stands for one. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8');
const [statements = '', list = ''] = page.split('\n## Tests\n');

interface Named {
  readonly number: number;
  readonly file: string;
  /** Its beginning, where the title goes on with what a loop puts in. */
  readonly title: string;
}

const named: readonly Named[] = [...list.matchAll(/^\| `(\S+)` \| (.+) \|$/gm)].flatMap(
  ([, file = '', tests = '']) =>
    tests.split(/; (?=\[\d)/).map((test) => {
      const [, number, title = ''] = /^\[(\d+)\] (.+)$/.exec(test) ?? [];
      return { number: Number(number), file, title };
    }),
);

/** Whether a string literal of the source begins with this title, or has it behind what a loop puts in. */
function hasTitle(source: string, title: string): boolean {
  return ["'", '"', '`', '} '].some((before) => source.includes(before + title));
}

t.test('the tests that it names', async (t) => {
  t.ok(named.length > 40, 'the list is read');
  for (const { file, title } of named) {
    const path = join(ROOT, file);
    t.ok(existsSync(path) && hasTitle(readFileSync(path, 'utf8'), title), `${file}: ${title}`);
  }
});

t.test('the numbers', async (t) => {
  const used = new Set([...statements.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number)));
  t.strictSame(
    [...used].sort((a, b) => a - b),
    named.map(({ number }) => number),
  );
});

t.test('each statement in its tables has a number, or says that there is no test', async (t) => {
  const rows = [...statements.matchAll(/^\| (?!can )(.+) \|$/gm)].map(([, row = '']) => row);
  t.ok(rows.length > 30);
  t.strictSame(
    rows.filter((row) => !/\[\d+\]|\(no test\)/.test(row)),
    [],
  );
});
