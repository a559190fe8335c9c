/** Nothing is waited for without end, and no wait depends on the clock, which somebody may set meanwhile. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type { Test } from 'tap';
import { openStores } from '../../cli/stores.ts';
import { storeFile } from '../../ipam/store/open.ts';
import { SystemError } from '../../lib/base/errors.ts';
import { runDelegate } from '../../lib/cni/delegate.ts';
import { files } from '../../lib/cni/files.ts';
import { refreshHostMap } from '../../lib/cni/lists/host-map.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import type { World } from '../../lib/cni/world.ts';
import { withFileLock } from '../../lib/system/lock.ts';
import { openNetns } from '../../lib/system/netns.ts';
import { fakeWorld } from './cni-fakes.ts';
import { naming } from '../naming.ts';

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'netmoor-waits-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** A clock that is set forwards and back between any two looks; only pauses make the monotonic one go on. */
function unsteady(world: World): World & { readonly passed: () => number } {
  let passed = 0;
  let looks = 0;
  return {
    ...world,
    passed: () => passed,
    now: () => (looks++ % 2 === 0 ? 1 : -1) * 86_400_000 * looks,
    monotonic: () => passed,
    pause: (milliseconds) => {
      passed += milliseconds;
    },
  };
}

t.test('a FIFO is no namespace and no resolv.conf', async (t) => {
  const fifo = join(directory(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  t.throws(() => openNetns(fifo), { kind: 'bad-netns', message: naming(fifo) });
  t.throws(() => realWorld().readText(fifo), { kind: 'io', message: naming(fifo) });
  t.throws(() => files.read(fifo), { kind: 'io', message: naming(fifo) });
  const lock = (): void => withFileLock(fifo, { monotonic: () => 0, pause: () => {} }, () => {});
  t.throws(lock, { kind: 'io', message: naming(fifo) });
});

t.test('a lock that nobody gives back', async (t) => {
  const path = join(directory(t), 'lock');
  const world = unsteady(fakeWorld());
  withFileLock(path, world, () => {
    t.throws(() => withFileLock(path, world, () => t.fail('it was locked')), {
      kind: 'try-again',
      message: naming(path),
    });
  });
  t.ok(world.passed() >= 5_000 && world.passed() < 6_000, 'the deadline is that of the monotonic clock');
  t.equal(
    withFileLock(path, world, () => 'mine'),
    'mine',
    'and it is free again',
  );
});

t.test('a lock that is given back in time', async (t) => {
  const path = join(directory(t), 'lock');
  const child = spawn('flock', ['--no-fork', path, 'sh', '-c', 'echo locked; read line'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const world = unsteady(fakeWorld());
  const waiting: World = {
    ...world,
    pause: (milliseconds) => {
      world.pause(milliseconds);
      if (world.passed() < 3_000) return;
      child.kill('SIGKILL');
      execFileSync('flock', [path, 'true']);
    },
  };
  t.equal(
    withFileLock(path, waiting, () => 'mine'),
    'mine',
  );
});

t.test('a plugin that is being installed', async (t) => {
  const delegation = (world: World) => ({
    request: { environment: {}, stdin: Buffer.alloc(0), path: ['/opt/cni/bin'] },
    world,
    note: () => {},
  });
  let tries = 0;
  const busy = (): never => {
    throw new SystemError('spawn', 26);
  };
  const soon = unsteady(
    fakeWorld({
      programs: ['/opt/cni/bin/x'],
      execute: () => (++tries < 20 ? busy() : { exitCode: 0, stdout: Buffer.from('{}'), stderr: '' }),
    }),
  );
  t.equal(runDelegate('x', 'ADD', delegation(soon)).toString(), '{}');
  const never = unsteady(fakeWorld({ programs: ['/opt/cni/bin/x'], execute: busy }));
  t.throws(() => runDelegate('x', 'ADD', delegation(never)), {
    kind: 'delegate',
    message: naming('x', 'ETXTBSY'),
  });
  t.ok(never.passed() >= 5_000 && never.passed() < 6_000);
});

t.test('a lease store that another process keeps', async (t) => {
  const dir = directory(t);
  const calm = { ...fakeWorld(), storeDirectory: dir };
  for (const { store } of openStores(calm, dir)) store.write(() => {});
  const other = new DatabaseSync(storeFile(dir));
  other.exec('BEGIN IMMEDIATE');
  let looks = 0;
  const world: World = {
    ...calm,
    now: () => {
      throw new Error('no deadline is one of the clock');
    },
    monotonic: () => looks++ * 3_000,
  };
  for (const { store } of openStores(world, dir))
    t.throws(() => store.write(() => {}), {
      kind: 'try-again',
      message: naming(storeFile(dir)),
    });
  t.ok(looks > 3);
  other.close();
});

t.test('the map of names can be read by everybody, whatever the umask', async (t) => {
  const root = directory(t);
  const world = { ...fakeWorld(), files, resultsDirectory: join(root, 'results') };
  const umask = process.umask(0o077);
  try {
    refreshHostMap('c1', world, join(root, 'run/netmoor/hosts'));
    for (const path of ['run', 'run/netmoor']) t.equal(statSync(join(root, path)).mode & 0o777, 0o755, path);
    t.equal(statSync(join(root, 'run/netmoor/hosts')).mode & 0o777, 0o644);
  } finally {
    process.umask(umask);
  }
  mkdirSync(join(root, 'shut'));
  chmodSync(join(root, 'shut'), 0o700);
  writeFileSync(join(root, 'shut/hosts'), '');
  refreshHostMap('c1', world, join(root, 'shut/hosts'));
  t.equal(statSync(join(root, 'shut')).mode & 0o777, 0o755, 'also when somebody made it before');
});
