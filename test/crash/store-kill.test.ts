import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { randomFrom } from '../unit/ipam-ledger.ts';
import { bundled } from './bundled.ts';
import { Worker } from './store-process.ts';

const ROUNDS = 40;
const WORKERS = 3;
const seed = 1974;
const random = randomFrom(seed);

/** What a killed worker's last committed step promises, against what the store remembers; '' when they agree. */
function broken(reader: StoreReader, lines: readonly string[]): string {
  const [step = '', containerId = ''] = lines.at(-1)?.split(' ') ?? [];
  const record = reader.attachment({ network: 'crash', containerId, ifname: 'eth0' });
  const expected: Record<string, (string | undefined)[]> = {
    '': [undefined],
    attaching: ['attaching', 'attached'],
    attached: ['attached'],
    removing: ['attached', 'detaching', undefined],
    removed: [undefined],
  };
  return expected[step]?.includes(record?.state)
    ? ''
    : `after "${step} ${containerId}" it is ${record?.state}`;
}

async function killRound(
  t: Test,
  program: string,
  dir: string,
  fresh: boolean,
  total: { steps: number },
): Promise<void> {
  const workers = Array.from({ length: WORKERS }, () => new Worker(program, 'loop', dir));
  // On a fresh directory the store's creation is what the kill should hit; else the middle of its use.
  if (!fresh) await Promise.all(workers.map((worker) => worker.line(0)));
  await Promise.all(
    workers.map(async (worker) => {
      await delay(random() * (fresh ? 120 : 25));
      await worker.kill();
    }),
  );
  total.steps += workers.reduce((sum, worker) => sum + worker.lines.length, 0);
  t.same(
    workers.flatMap((worker) => worker.errors),
    [],
    'none of them failed by itself',
  );
  const store = openStore({ dir, bootId: 'boot', hostId: '', now: Date.now });
  store.read((reader) => {
    t.same(checkStore(reader), [], 'nothing half-done');
    t.same(workers.map((worker) => broken(reader, worker.lines)).filter(Boolean), [], 'nothing lost');
    const left = reader
      .attachments()
      .map(({ containerId, state }) => ({ process: containerId.split('-')[0], state }));
    const attaching = left.filter(({ state }) => state === 'attaching').map(({ process }) => process);
    t.equal(new Set(attaching).size, attaching.length, 'at most one intent for each process');
    t.ok(left.length <= WORKERS, `${left.length} records of ${WORKERS} killed processes`);
  });
  store.write((tx) => {
    for (const record of tx.attachments()) tx.removeAttachment(record);
  });
  t.same(store.read(checkStore), [], 'usable as before');
  store.close();
}

t.test('processes killed at any instant lose nothing', { timeout: 120_000 }, async (t) => {
  const total = { steps: 0 };
  const root = t.testdir();
  const program = bundled('store-worker', root);
  for (let round = 0; round < ROUNDS; round++) {
    const fresh = round % 4 === 0;
    await t.test(`round ${round} of seed ${seed}${fresh ? ', on a fresh directory' : ''}`, async (t) => {
      await killRound(t, program, join(root, fresh ? `fresh-${round}` : 'used'), fresh, total);
    });
  }
  t.ok(total.steps > ROUNDS * WORKERS, `the killed had done ${total.steps} steps`);
});
