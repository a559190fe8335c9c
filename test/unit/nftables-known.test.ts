/** The note of the generation at which the tables were whole. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { carryOver, recall, remember } from '../../lib/nftables/known.ts';

function place(t: Test): { directory: string; file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'known-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, file: join(directory, 'netmoor', 'ruleset') };
}

const WHOLE = { generation: 7, families: [1, 7], bridges: ['nm-a'] };

t.test('it holds for its generation alone', (t) => {
  const { file, directory } = place(t);
  t.equal(recall(7, file), undefined, 'nobody has left one');
  remember(WHOLE, file);
  t.match(recall(7, file), WHOLE);
  t.equal(recall(8, file), undefined);
  t.equal(recall(6, file), undefined);
  t.same(readdirSync(join(directory, 'netmoor')), ['ruleset'], 'nothing lies beside it');
  t.end();
});

t.test('a change of our own takes it along, if it held', (t) => {
  const { file } = place(t);
  carryOver(7, file);
  t.notOk(existsSync(file));
  remember(WHOLE, file);
  carryOver(9, file);
  t.match(recall(7, file), WHOLE, 'made of another generation');
  carryOver(7, file);
  t.match(recall(8, file), { ...WHOLE, generation: 8 });
  t.equal(recall(7, file), undefined);
  t.end();
});

t.test('of another namespace, another layout, or damaged, it is none', (t) => {
  const { file } = place(t);
  remember(WHOLE, file);
  const note = JSON.parse(readFileSync(file, 'utf8')) as object;
  for (const other of [
    { netns: '1' },
    { layout: 'netmoor layout 1' },
    { generation: '7' },
    { netns: undefined },
  ]) {
    writeFileSync(file, JSON.stringify({ ...note, ...other }));
    t.equal(recall(7, file), undefined, JSON.stringify(other));
  }
  for (const text of ['', '{', 'null', '7', '[]', JSON.stringify(note).slice(0, 20)]) {
    writeFileSync(file, text);
    t.equal(recall(7, file), undefined, text);
  }
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
  chmodSync(join(directory, 'file'), 0o600);
  t.doesNotThrow(() => remember(WHOLE, file));
  t.equal(recall(7, file), undefined);
  t.end();
});
