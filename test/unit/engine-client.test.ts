/** The synchronous client against whatever may be at the other end: only a whole answer counts as one. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import type { Test } from 'tap';
import { askEngine } from '../../lib/engine/client.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import type { PluginRequest } from '../../lib/engine/protocol.ts';
import { FileLock } from '../../lib/system/lock.ts';
import { inNewNetns, ownNetnsId } from '../../lib/system/netns.ts';
import type { Mode } from './engine-rogue.ts';
import { shortDirectory, toyCall } from './engine-toy.ts';

const PATIENCE = 10_000;

async function met(t: Test, mode: Mode): Promise<string> {
  const path = join(shortDirectory(t), 'sock');
  const rogue = new Worker(new URL('engine-rogue.ts', import.meta.url), { workerData: { path, mode } });
  await once(rogue, 'message');
  t.teardown(async () => rogue.terminate());
  return path;
}

/** What asking ends in; a thread answers, so the time that passes here is its own. */
function outcome(path: string, deadline = PATIENCE, request: PluginRequest = toyCall('ADD', 'c1')): unknown {
  try {
    return askEngine(request, deadline, path);
  } catch (error) {
    if (error instanceof EngineError)
      return { trouble: error.trouble, kind: error.kind, refusal: error.refusal };
    throw error;
  }
}

t.test('answers', async (t) => {
  const answer = { exitCode: 0, stdout: 'ä'.repeat(1000), stderr: '' };
  t.same(outcome(await met(t, 'proper')), answer);
  t.same(outcome(await met(t, 'in pieces')), answer);
});

t.test('what is no answer is no success', async (t) => {
  const modes: readonly Mode[] = [
    'closes at once',
    'closes after reading',
    'half an answer',
    'garbage',
    'too large',
    'another answer',
  ];
  for (const mode of modes)
    t.match(outcome(await met(t, mode)), { trouble: 'lost', kind: 'try-again' }, mode);
});

t.test('time is limited', async (t) => {
  t.match(outcome(await met(t, 'silent'), 100), { trouble: 'late', kind: 'try-again' });
  const large = { ...toyCall('ADD', 'c1'), stdin: 'QUJD'.repeat(300_000) };
  t.match(outcome(await met(t, 'reads nothing'), 100, large), { trouble: 'late' }, 'for sending, too');
});

t.test('a refusal is read, though the request was not', async (t) => {
  const large = { ...toyCall('ADD', 'c1'), stdin: 'QUJD'.repeat(300_000) };
  const refused = { trouble: 'refused', kind: 'try-again', refusal: { kind: 'too-busy' } };
  const path = await met(t, 'refuses unread');
  t.match(outcome(path), refused);
  t.match(outcome(path, PATIENCE, large), refused);
});

t.test('nobody there', async (t) => {
  const path = join(shortDirectory(t), 'sock');
  t.match(outcome(path), { trouble: 'absent', kind: 'not-available' });
  const tooMuch = { ...toyCall('ADD', 'c1'), stdin: 'x'.repeat(3_000_000) };
  t.match(outcome(path, PATIENCE, tooMuch), { trouble: 'refused', refusal: { kind: 'malformed' } });
});

t.test('threads of one process', async (t) => {
  const path = join(shortDirectory(t), 'lock');
  const held = FileLock.acquire(path, { monotonic: () => performance.now(), pause: () => {} });
  const module = (name: string): string =>
    JSON.stringify(new URL(`../../lib/system/${name}`, import.meta.url).href);
  const source = `
    const { parentPort } = require('node:worker_threads');
    (async () => {
      const { FileLock } = await import(${module('lock.ts')});
      const { inNewNetns, ownNetnsId } = await import(${module('netns.ts')});
      const locked = FileLock.tryAcquire(${JSON.stringify(path)}) === undefined;
      const home = ownNetnsId();
      parentPort.once('message', () => {
        const free = FileLock.tryAcquire(${JSON.stringify(path)}) !== undefined;
        parentPort.postMessage({ free });
      });
      const seen = inNewNetns(() => {
        const inside = ownNetnsId();
        parentPort.postMessage({ locked, home, inside });
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        return ownNetnsId();
      });
    })();`;
  const thread = new Worker(source, { eval: true });
  t.teardown(async () => thread.terminate());
  const [{ locked, home, inside }] = (await once(thread, 'message')) as [Record<string, unknown>];
  t.equal(locked, true, 'a lock of one is a lock for the others');
  t.equal(home, ownNetnsId());
  t.not(inside, home, 'one steps into a namespace');
  t.equal(ownNetnsId(), home, 'the others stay where they are');
  held.release();
  thread.postMessage('try');
  t.same((await once(thread, 'message'))[0], { free: true });
  t.not(inNewNetns(ownNetnsId), inside);
});
