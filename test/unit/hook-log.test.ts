/** The hook's own log file: bounded, and no line of any writer lost for that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openLog } from '../../hooks/oci/log.ts';

const MIB = 1024 * 1024;
const WRITER = fileURLToPath(new URL('hook-log-writer.ts', import.meta.url));

t.test('a full file gives way', async (t) => {
  const file = join(t.testdir({}), 'log/hook.log');
  const log = openLog({ pid: 7, now: () => 0 }, file);
  log.write('info', 'first');
  t.equal(readFileSync(file, 'utf8'), '1970-01-01T00:00:00.000Z netmoor-hook[7]: first\n');
  const umask = process.umask(0);
  process.umask(umask);
  t.equal(statSync(file).mode & 0o777, 0o640 & ~umask);
  for (const full of ['a', 'b']) {
    writeFileSync(file, full.repeat(MIB));
    log.write('error', 'next');
    t.match(readFileSync(file, 'utf8'), /^\S+ netmoor-hook\[7\]: next\n$/);
    t.equal(readFileSync(`${file}.1`, 'utf8'), full.repeat(MIB), 'one earlier file is kept');
  }
  log.write('info', 'and on');
  t.equal(readFileSync(file, 'utf8').split('\n').length, 3);
});

t.test('what cannot be renamed is written on', async (t) => {
  const file = join(t.testdir({ 'hook.log': 'x'.repeat(MIB) }), 'hook.log');
  mkdirSync(`${file}.1/occupied`, { recursive: true });
  openLog({ pid: 7, now: () => 0 }, file).write('info', 'still told');
  t.match(readFileSync(file, 'utf8').slice(MIB), /still told\n$/);
});

t.test('several writers at the moment it is full', async (t) => {
  const WRITERS = 6;
  const LINES = 300;
  const file = join(t.testdir({ 'hook.log': `${'x'.repeat(MIB - 20_000)}\n` }), 'hook.log');
  const writers = Array.from({ length: WRITERS }, () =>
    spawn(process.execPath, [WRITER, file, String(LINES)], { stdio: 'inherit' }),
  );
  await Promise.all(writers.map((writer) => once(writer, 'close')));
  t.ok(existsSync(`${file}.1`));
  const lines = [`${file}.1`, file].flatMap((each) => readFileSync(each, 'utf8').split('\n'));
  const told = lines.filter((line) => /netmoor-hook\[\d+\]: line \d+ x{80}$/.test(line));
  t.equal(told.length, WRITERS * LINES, 'every line is there, whole');
});
