import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Test } from 'tap';
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { checkStore } from '../../ipam/store/check.ts';
import { guard } from '../../ipam/store/sqlite/failure.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { attachment } from '../unit/ipam-record.ts';
import { bundled } from './bundled.ts';
import { naming } from '../naming.ts';

function open(dir: string): LeaseStore {
  return openStore({ dir, bootId: 'boot', hostId: '', now: Date.now });
}

function failure(fn: () => unknown): NetmoorError | undefined {
  try {
    fn();
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  return undefined;
}

/** A closed store with enough in it to fill several pages. */
function filled(dir: string): string {
  const store = open(dir);
  store.write((tx) => {
    for (let i = 0; i < 300; i++)
      tx.putAttachment(attachment(`c${i}`, { bootId: 'boot', detail: { text: 'x'.repeat(200) } }));
  });
  store.close();
  return join(dir, 'leases.db');
}

t.test('a damaged file is refused naming it and what to do, for reading and writing', async (t) => {
  const damages: [string, (file: string) => void][] = [
    [
      'text in its place',
      (file) => writeFileSync(file, 'these are not the leases you are looking for\n'.repeat(200)),
    ],
    ['cut short', (file) => truncateSync(file, 8192)],
    ['pages overwritten', (file) => writeFileSync(file, readFileSync(file).fill(0x5a, 4096))],
  ];
  for (const [name, damage] of damages) {
    const dir = t.testdir();
    const file = filled(dir);
    damage(file);
    const before = readFileSync(file);
    for (const use of [
      () => open(dir).read((reader) => reader.attachments()),
      () => open(dir).write((tx) => tx.attachments()),
    ]) {
      const error = failure(use);
      t.equal(error?.kind, 'store', name);
      t.ok(error?.message.includes(file), `${name}: "${error?.message}" names the file`);
      t.match(error?.details, naming(file, 'netmoor gc'), name);
    }
    t.ok(readFileSync(file).equals(before), `${name}: left as it was found`);
  }
});

t.test('an empty file is a store that was never written', async (t) => {
  const dir = t.testdir({ 'leases.db': '' });
  const store = open(dir);
  t.same(
    store.read((reader) => reader.attachments()),
    [],
  );
  store.write((tx) => tx.putAttachment(attachment('one', { bootId: 'boot' })));
  t.equal(
    store.read((reader) => reader.attachments().length),
    1,
  );
  store.close();
});

t.test('a file of a newer version is not touched', async (t) => {
  const dir = t.testdir();
  const database = new DatabaseSync(filled(dir));
  database.exec('PRAGMA user_version = 99');
  database.close();
  for (const use of [
    () => open(dir).read((reader) => reader.networks()),
    () => open(dir).write((tx) => tx.networks()),
  ]) {
    const error = failure(use);
    t.equal(error?.kind, 'store');
    t.match(error?.message, naming(join(dir, 'leases.db'), '99'));
  }
});

t.test('something else where the directory should be', async (t) => {
  const dir = t.testdir({ file: 'not a directory' });
  for (const path of [join(dir, 'file'), join(dir, 'file', 'deeper')]) {
    const error = failure(() => open(path).write((tx) => tx.networks()));
    t.equal(error?.kind, 'store');
    t.match(error?.message, naming(path, 'ENOTDIR'));
  }
});

t.test('a store held too long by another process is worth another try', async (t) => {
  const file = filled(t.testdir());
  const [holder, other] = [new DatabaseSync(file), new DatabaseSync(file, { timeout: 0 })];
  holder.exec('BEGIN IMMEDIATE');
  const error = failure(() => guard(file, () => other.exec('BEGIN IMMEDIATE')));
  t.equal(error?.kind, 'try-again');
  t.ok(error?.message.includes(file));
  holder.close();
  other.close();
});

/** Runs the worker in a mount namespace of its own, after the commands that prepare `dir`. */
function inMounts(t: Test, prepare: string, dir: string): string {
  const program = bundled('store-worker', t.testdirName);
  const script = `${prepare} && exec "$NODE" "$PROGRAM" once "$DIR"`;
  const env = { ...process.env, NODE_OPTIONS: '', NODE: process.execPath, PROGRAM: program, DIR: dir };
  const result = spawnSync('unshare', ['-m', 'sh', '-ec', script], { env, encoding: 'utf8', input: '' });
  return `${result.stdout}${result.stderr}`;
}

/** The worker's line for an error of the kind `store` that names each of these things. */
function refusal(...things: readonly string[]): RegExp {
  return naming('error store', ...things);
}

const root = process.getuid?.() === 0 ? {} : { skip: 'mount namespaces need root' };

t.test('a read-only file system', root, async (t) => {
  const readOnly = 'mount --bind "$DIR" "$DIR" && mount -o remount,ro,bind "$DIR"';
  const fresh = join(t.testdir({ fresh: {}, used: {} }), 'fresh');
  t.match(inMounts(t, readOnly, fresh), refusal('EROFS'), 'on an empty directory');
  const used = join(t.testdirName, 'used');
  filled(used);
  t.match(inMounts(t, readOnly, used), refusal(join(used, 'leases.db'), 'EROFS'), 'on a store that exists');
  const store = open(used);
  t.equal(
    store.read((reader) => reader.attachments().length),
    300,
  );
  store.close();
});

t.test(
  'a full disk fails the transaction and nothing else, and the text says that it is full',
  root,
  async (t) => {
    const dir = join(t.testdir({ disk: {}, kept: {} }), 'disk');
    const small = 'mount -t tmpfs -o size=256k tmpfs "$DIR"';
    const ballast = 'head -c 240k /dev/zero > "$DIR/ballast"';
    t.match(inMounts(t, `${small} && ${ballast}`, dir), refusal(join(dir, 'leases.db'), 'cannot grow'));
    const filling = `${small} && { "$NODE" "$PROGRAM" fill "$DIR" || cp "$DIR"/* "$DIR/../kept/"; }`;
    t.match(inMounts(t, filling, dir), refusal(join(dir, 'leases.db'), 'cannot grow'));
    const kept = open(join(t.testdirName, 'kept'));
    t.same(kept.read(checkStore), [], 'what was committed before is whole');
    t.ok(kept.read((reader) => reader.attachments().length) > 0);
    kept.close();
  },
);

const notRoot = process.getuid?.() === 0 ? { skip: 'root enters every directory' } : {};

t.test('a directory that may not be entered', notRoot, async (t) => {
  const closed = join(t.testdir({ closed: {} }), 'closed');
  chmodSync(closed, 0);
  t.equal(failure(() => open(closed).write((tx) => tx.networks()))?.kind, 'store');
});
