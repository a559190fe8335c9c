import { join } from 'node:path';
import t from 'tap';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import { bundled } from './bundled.ts';
import { Worker } from './store-process.ts';

const PROCESSES = 100;

t.test('100 processes that begin at once on an empty directory never get the same address', async (t) => {
  const root = t.testdir();
  const program = bundled('store-worker', root);
  const dir = join(root, 'store');
  const workers = Array.from({ length: PROCESSES }, () => new Worker(program, 'once', dir));
  await Promise.all(workers.map((worker) => worker.line(0)));
  for (const worker of workers) worker.go();
  const answers = await Promise.all(workers.map((worker) => worker.line(1)));
  t.same(
    await Promise.all(workers.map((worker) => worker.ended)),
    workers.map(() => 0),
    'all succeed',
  );
  for (const family of [0, 1]) {
    const addresses = answers.map((line) => line.split(' ')[family]);
    t.equal(new Set(addresses).size, PROCESSES, 'as many addresses as processes');
  }
  const store = openStore({ dir, bootId: 'boot', hostId: '', now: Date.now });
  store.read((reader) => {
    const records = reader.attachments();
    t.equal(records.length, PROCESSES);
    t.same([...new Set(records.map(({ state }) => state))], ['attached']);
    const recorded = records.map(({ addresses }) => addresses.map(({ address }) => address).join(' '));
    t.same(recorded.sort(), answers.toSorted(), 'the records say what the processes were told');
    t.same(checkStore(reader), []);
  });
  store.close();
});
