/** Who is at work: a process, or one request of a process that serves many. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { causeOfDeath } from '../../lib/mooring/death.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { processIdentity } from '../../lib/system/process.ts';
import { asRequest, forgetEarlier, isAtWork, isSameWorker } from '../../lib/system/worker.ts';
import type { Worker } from '../../lib/system/worker.ts';
import { fakeWorld } from './cni-fakes.ts';
import { attachment } from './ipam-record.ts';

const notes = mkdtempSync(join(tmpdir(), 'netmoor-requests-'));
t.teardown(() => rmSync(notes, { recursive: true }));

const self = processIdentity(process.pid);

t.test('a request is at work while it runs, whatever becomes of it, and not a moment longer', async (t) => {
  const seen: Worker[] = [];
  const enter = (worker: Worker | undefined): void => {
    if (worker === undefined) throw new Error('nobody');
    t.ok(isAtWork(worker, notes), 'while it runs');
    seen.push(worker);
  };
  await asRequest('one', async (worker) => enter(worker), notes);
  const failed = asRequest(
    'two',
    async (worker) => {
      enter(worker);
      throw new Error('out of luck');
    },
    notes,
  );
  await t.rejects(failed);
  for (const worker of seen) t.notOk(isAtWork(worker, notes), 'afterwards, though its process lives');
  t.notOk(isSameWorker(seen[0], seen[1]));
  t.same(readdirSync(notes), []);
});

t.test('a process with one request, one that has ended, and one whose number is another’s', async (t) => {
  if (self === undefined) throw new Error('this process is not there');
  t.ok(isAtWork(self, notes));
  t.notOk(isAtWork({ pid: 2 ** 22 + 1, started: '1' }, notes));
  t.notOk(isAtWork({ ...self, started: '1' }, notes));
});

t.test('what earlier processes have left is forgotten', async (t) => {
  const left = join(notes, 'left');
  mkdirSync(left);
  const other = processIdentity(process.ppid);
  const living = `${other?.pid}-${other?.started}-1`;
  const earlier = [`${2 ** 22 + 1}-1-1`, `${other?.pid}-1-1`, `${self?.pid}-${self?.started}-1`];
  for (const name of [...earlier, living]) writeFileSync(join(left, name), '');
  forgetEarlier(left);
  t.same(readdirSync(left), [living], 'but not what is of another that lives');
  rmSync(left, { recursive: true });
  forgetEarlier(left);
});

t.test('where no note can be left the process answers for it', async (t) => {
  const blocked = join(notes, 'file');
  writeFileSync(blocked, '');
  await asRequest('three', async (worker) => t.same(worker, self), join(blocked, 'below'));
  rmSync(blocked);
});

t.test('what a failed request left half done is dead, in a process that lives', async (t) => {
  if (self === undefined) throw new Error('this process is not there');
  const world = { ...fakeWorld(), bootId: 'boot-1', isAtWork: (worker: Worker) => isAtWork(worker, notes) };
  const judge = { world, route: undefined as unknown as NetlinkSocket };
  const half = (worker: Worker) => attachment('c1', { state: 'attaching', bootId: 'boot-1', worker });
  await asRequest(
    'four',
    async (worker) => {
      if (worker === undefined) throw new Error('nobody');
      t.equal(causeOfDeath(judge, half(worker), undefined), undefined, 'not while it runs');
    },
    notes,
  );
  t.type(causeOfDeath(judge, half({ ...self, request: 'four' }), undefined), 'string');
  t.equal(
    causeOfDeath(judge, half(self), undefined),
    undefined,
    'of the process as a whole nothing is known',
  );
});
