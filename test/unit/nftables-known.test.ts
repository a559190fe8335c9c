/** The note of the generation at which the tables were whole. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { carryOver, forget, recall, remember } from '../../lib/nftables/known.ts';

function place(t: Test): { directory: string; file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'known-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, file: join(directory, 'ruleset') };
}

const WHOLE = { generation: 7, families: [1, 7], bridges: ['nm-a'] };

t.test('it holds for its generation alone', (t) => {
  const { file, directory } = place(t);
  t.equal(recall(7, file), undefined, 'nobody has left one');
  remember(WHOLE, file);
  t.match(recall(7, file), WHOLE);
  t.equal(recall(8, file), undefined);
  t.equal(recall(6, file), undefined);
  t.same(readdirSync(directory), ['ruleset'], 'nothing lies beside it');
  forget(file);
  forget(file);
  t.equal(recall(7, file), undefined);
  t.same(readdirSync(directory), []);
  t.end();
});

t.test('a change of our own takes it along, if it held', (t) => {
  const { file } = place(t);
  carryOver(7, undefined, file);
  t.notOk(existsSync(file));
  remember(WHOLE, file);
  carryOver(9, undefined, file);
  t.match(recall(7, file), WHOLE, 'made of another generation');
  carryOver(7, undefined, file);
  t.match(recall(8, file), { ...WHOLE, generation: 8 });
  t.equal(recall(7, file), undefined);
  carryOver(8, { families: [7, 5], bridges: ['nm-b'] }, file);
  t.match(recall(9, file), { families: [1, 7, 5], bridges: ['nm-a', 'nm-b'] }, 'with what was seen');
  carryOver(9, { families: [1], bridges: ['nm-a'] }, file);
  t.match(recall(10, file), { bridges: ['nm-b', 'nm-a'] }, 'the last one last: of many it stays');
  carryOver(20, { families: [1], bridges: ['nm-c'] }, file);
  t.match(recall(21, file), { families: [1], bridges: ['nm-c'] }, 'or that alone');
  t.end();
});

t.test('of another namespace, or damaged, it is none', (t) => {
  const { file } = place(t);
  remember(WHOLE, file);
  const note = readFileSync(file, 'latin1');
  for (const [from, to] of [
    ['"netns":"', '"netns":"1'],
    ['"generation":7', '"generation":8'],
    ['nm-a', 'nm-b'],
  ] as const) {
    writeFileSync(file, note.replace(from, to));
    t.equal(recall(7, file), undefined, `${from} is ${to}`);
    t.equal(recall(8, file), undefined, `${from} is ${to}`);
  }
  for (const text of ['', '{', 'null', '7', '[]', note.slice(0, 20), note.slice(0, 60)]) {
    writeFileSync(file, text);
    t.equal(recall(7, file), undefined, text.trim());
  }
  remember(WHOLE, file);
  t.match(recall(7, file), WHOLE, 'and the next one writes over it');
  t.end();
});

t.test('of many bridges it names the last', (t) => {
  const { file } = place(t);
  const bridges = Array.from({ length: 100 }, (_, index) => `nm-${index}`);
  remember({ ...WHOLE, bridges }, file);
  t.same(recall(7, file)?.bridges, bridges.slice(-64));
  t.end();
});

t.test('where none can be left, nobody suffers', (t) => {
  const { directory } = place(t);
  const file = join(directory, 'file', 'ruleset');
  writeFileSync(join(directory, 'file'), '');
  t.doesNotThrow(() => remember(WHOLE, file));
  t.equal(recall(7, file), undefined);
  t.end();
});
