/** lib/engine/running.ts: whether an engine runs, without a word to it, and without a trace. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { placesIn } from '../../lib/engine/places.ts';
import { engineRuns } from '../../lib/engine/running.ts';
import { FileLock } from '../../lib/system/lock.ts';

const PATIENCE = { monotonic: () => performance.now(), pause: () => {} };

t.test('by its lock alone', async (t) => {
  const directory = t.testdir();
  const places = placesIn(directory);
  t.notOk(engineRuns(places), 'there is nothing');
  t.same(readdirSync(directory), [], 'nothing is made');
  const life = FileLock.acquire(places.life, PATIENCE);
  t.ok(engineRuns(places));
  t.ok(engineRuns(places), 'asking does not change it');
  life.release();
  t.notOk(engineRuns(places), 'a lock that nobody holds');
  FileLock.acquire(places.life, PATIENCE).release();
  t.ok(existsSync(places.life), 'whoever asked has let go of it');
  t.notOk(engineRuns(placesIn(join(directory, 'missing'))));
});
