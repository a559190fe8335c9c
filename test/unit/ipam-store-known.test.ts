/** Remembering stores in other directories. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { noteStore, notedStores } from '../../ipam/store/known.ts';

const parent = mkdtempSync(join(tmpdir(), 'netmoor-known-'));
t.teardown(() => rmSync(parent, { recursive: true }));

t.test('each directory once', async (t) => {
  const notes = join(parent, 'run', 'stores');
  t.same(notedStores(notes), [], 'nothing noted, nothing there');
  for (const dir of ['/opt/a', '/opt/b/', '/opt/x/../a']) noteStore(dir, notes);
  noteStore(`/${'long/'.repeat(200)}`, notes);
  t.same(notedStores(notes).sort(), ['/opt/a', '/opt/b', `/${'long/'.repeat(200).slice(0, -1)}`].sort());
});

t.test('what is no note is read over', async (t) => {
  const notes = join(parent, 'strewn');
  noteStore('/opt/a', notes);
  writeFileSync(join(notes, 'README'), 'put here by a person');
  mkdirSync(join(notes, 'folder'));
  t.same(notedStores(notes), ['/opt/a']);
});

t.test('where nothing can be noted', async (t) => {
  const file = join(parent, 'file');
  writeFileSync(file, '');
  t.doesNotThrow(() => noteStore('/opt/a', join(file, 'stores')), 'a file in the way');
  t.same(notedStores(file), []);
  if (process.geteuid?.() === 0) return;
  chmodSync(parent, 0o500);
  t.doesNotThrow(() => noteStore('/opt/a', join(parent, 'other')), 'an unprivileged caller goes on without');
  chmodSync(parent, 0o700);
});
