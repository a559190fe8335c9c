/** Which thread of the engine works on what, and when there is a second. */
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import type { Job, Outcome, ToWorker } from '../../cli/engine/jobs.ts';
import { WorkerPool } from '../../cli/engine/workers.ts';
import type { PoolOptions } from '../../cli/engine/workers.ts';

/** A thread that does what the test tells it to. */
class Puppet extends EventEmitter {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  /** What it was given, message by message. */
  readonly given: (readonly string[])[] = [];

  postMessage({ jobs }: ToWorker): void {
    this.given.push(jobs.map((job) => (job.is === 'task' ? job.name : '')));
    this.emit('given');
  }

  ready(): void {
    this.emit('message', { ready: true });
  }

  /** It has come to the end of all that it was given last. */
  done(): void {
    const jobs = [...(this.given.at(-1)?.entries() ?? [])];
    for (const [job, value] of jobs) this.emit('message', { job, done: { value } });
  }

  async terminate(): Promise<number> {
    return 0;
  }
}

class Stage extends EventEmitter {
  readonly puppets: Puppet[] = [];
  /** As the kernel does where there are too many threads. */
  refuses = false;
  refused = 0;
  readonly pool: WorkerPool;

  constructor(options: Partial<PoolOptions> = {}) {
    super();
    const start = (): Worker => {
      if (this.refuses) {
        this.refused += 1;
        setImmediate(() => this.emit('refused'));
        throw new Error('EAGAIN');
      }
      const puppet = new Puppet();
      this.puppets.push(puppet);
      setImmediate(() => this.emit('started'));
      return puppet as unknown as Worker;
    };
    this.pool = new WorkerPool({ most: 2, idle: 1_000, start, ...options });
  }

  async run(name: string): Promise<Outcome> {
    return this.pool.run({ is: 'task', name, argument: {} } satisfies Job);
  }

  /** The jobs that each thread was given. */
  get given(): string[] {
    return this.puppets.map(({ given }) => given.map((jobs) => jobs.join('+')).join(' '));
  }
}

t.test('one thread does one after the other, as long as it comes on', async (t) => {
  const stage = new Stage();
  const all = ['a', 'b', 'c'].map(async (name) => stage.run(name));
  const [first] = stage.puppets;
  t.same(stage.given, [''], 'it starts');
  first?.ready();
  t.same(stage.given, ['a']);
  first?.done();
  t.same(stage.given, ['a b']);
  first?.done();
  t.same(stage.given, ['a b c']);
  first?.done();
  t.same(await Promise.all(all), [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
  t.equal(stage.pool.size, 1);
  stage.pool.stop();
});

t.test('another takes over where one waits; not more than there may be', async (t) => {
  const stage = new Stage();
  const waits = stage.run('waits');
  stage.puppets[0]?.ready();
  const others = ['a', 'b', 'c'].map(async (name) => stage.run(name));
  while (stage.puppets.length < 2) await once(stage, 'started');
  t.same(stage.given, ['waits', '']);
  stage.puppets[1]?.ready();
  stage.puppets[1]?.done();
  t.same(stage.given, ['waits', 'a b'], 'who waits holds up nobody from now on');
  stage.puppets[0]?.done();
  t.same(await waits, { value: 'waits' });
  t.same(stage.given, ['waits', 'a b'], 'b has only begun');
  stage.puppets[1]?.done();
  t.same(stage.given, ['waits c', 'a b']);
  stage.puppets[0]?.done();
  t.same(await Promise.all(others), [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
  t.equal(stage.puppets.length, 2);
  stage.pool.stop();
});

t.test('what nobody waits for any more is not begun', async (t) => {
  const stage = new Stage({ together: () => 'early' });
  const gone = new Set(['b', 'd', 'e']);
  const run = async (name: string): Promise<Outcome> =>
    stage.pool.run({ is: 'task', name, argument: {} }, () => !gone.has(name));
  const first = run('a');
  stage.puppets[0]?.ready();
  const others = Promise.allSettled(['b', 'c', 'd'].map(run));
  stage.puppets[0]?.done();
  t.same(stage.given, ['a c'], 'asked when it is its turn');
  const last = run('e');
  stage.puppets[0]?.done();
  t.same(await first, { value: 'a' });
  t.match(await others, [
    { reason: { name: 'NotWanted' } },
    { value: {} },
    { reason: { name: 'NotWanted' } },
  ]);
  await t.rejects(last, { name: 'NotWanted' });
  await stage.pool.drained();
  t.same(stage.given, ['a c']);
  stage.pool.stop();
});

t.test('no thread can be started', async (t) => {
  const stage = new Stage();
  stage.refuses = true;
  await t.rejects(
    stage.run('a'),
    { kind: 'internal', message: /EAGAIN/ },
    'where there is none, who asks is told',
  );
  await stage.pool.drained();
  stage.refuses = false;
  const waits = stage.run('waits');
  stage.puppets[0]?.ready();
  stage.refuses = true;
  const further = stage.run('b');
  while (stage.refused < 2) await once(stage, 'refused');
  t.same([stage.given, stage.pool.waiting], [['waits'], 1], 'it waits for the one that there is');
  stage.puppets[0]?.done();
  t.same(await waits, { value: 'waits' });
  t.same(
    stage.given,
    ['waits b'],
    'else the one that there is does it, and what was refused is not done later',
  );
  stage.puppets[0]?.done();
  t.same(await further, { value: 'b' });
  stage.pool.stop();
});

t.test('a thread takes all at once that can be done together', async (t) => {
  const stage = new Stage({ together: (job) => (job.is === 'task' && job.name < 'm' ? 'early' : undefined) });
  const all = ['a', 'z', 'b', 'y', 'c'].map(async (name) => stage.run(name));
  const [first] = stage.puppets;
  first?.ready();
  t.same(stage.given, ['a+b+c']);
  first?.done();
  first?.done();
  first?.done();
  await Promise.all(all);
  t.same(stage.given, ['a+b+c z y']);
  stage.pool.stop();
});
