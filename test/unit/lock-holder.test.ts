import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { lockHolder } from '../../lib/system/lock-holder.ts';

/** Byte of the index of a write-ahead log that its writer locks (sqlite.org/walformat.html). */
const WRITER = 120;

t.test('who has a byte of a file locked', async (t) => {
  const file = join(t.testdir(), 'x.db');
  const database = new DatabaseSync(file);
  t.teardown(() => database.close());
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a)');
  t.equal(lockHolder(`${file}-shm`, WRITER), undefined, 'nobody');
  database.exec('BEGIN IMMEDIATE');
  const name = readFileSync('/proc/self/comm', 'utf8').trimEnd();
  t.same(lockHolder(`${file}-shm`, WRITER), { pid: process.pid, name });
  t.equal(lockHolder(`${file}-shm`, WRITER + 1), undefined, 'another byte');
  t.equal(lockHolder(`${file}-wal`, WRITER), undefined, 'another file');
  t.equal(lockHolder(join(file, 'none'), WRITER), undefined, 'no file');
  database.exec('ROLLBACK');
  t.equal(lockHolder(`${file}-shm`, WRITER), undefined, 'it has let go');
});
