/** What the engine does with requests, by a toy plugin: order, deadlines, threads that die, refusals, its report. */
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import type { Json, MakeResident, ResidentHost } from '../../lib/cni/resident.ts';
import { TAKEN } from '../../lib/engine/launcher-frame.ts';
import { orderRequest } from '../../lib/engine/request.ts';
import { validate as validReport } from '../../schemas/compiled/cli-engine.js';
import { until } from '../kernel/harness-until.ts';
import { ask, saidTo, shortDirectory, toyCall, toyEngine, toyLaunch } from './engine-toy.ts';
import type { ToyEngine } from './engine-toy.ts';

async function started(
  t: Test,
  options: Parameters<typeof toyEngine>[1] = {},
): Promise<ToyEngine & { dir: string }> {
  const dir = shortDirectory(t);
  const toy = await toyEngine(dir, options);
  t.teardown(async () => toy.engine.stop('the test is over'));
  return { ...toy, dir };
}

function cniError(answer: unknown): { code?: number; msg?: string; cniVersion?: string } {
  const { stdout } = answer as { stdout: string };
  return JSON.parse(stdout);
}

t.test('a plugin answers from a thread', async (t) => {
  const { socket } = await started(t);
  const answer = await ask(socket, toyCall('ADD', 'c1'));
  t.match(answer, { exitCode: 0, stdout: /request-1\.example/ }, 'under a name of its own');
  const second = await ask(socket, toyCall('ADD', 'c1'));
  t.match(second, { exitCode: 0, stdout: /request-2\.example/ });
  t.match(await ask(socket, toyCall('VERSION', 'c1')), { exitCode: 0, stdout: /supportedVersions/ });
});

t.test('of one container in order, of different ones side by side', async (t) => {
  const { socket, dir, engine } = await started(t);
  const log = join(dir, 'log');
  const first = ask(socket, toyCall('ADD', 'one', { log, awaits: 'ADD two begins' }));
  await until(() => existsSync(log), 'it has begun');
  const second = ask(socket, toyCall('DEL', 'one', { log }));
  await until(async () => (await engine.report()).requests?.waiting === 1, 'the second waits for it');
  await Promise.all([first, second, ask(socket, toyCall('ADD', 'two', { log }))]);
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const place = (line: string): number => lines.indexOf(line);
  t.equal(lines.length, 6);
  t.ok(place('ADD one ends') < place('DEL one begins'), 'DEL waits for ADD');
  t.ok(place('ADD two begins') < place('ADD one ends'), 'the other container does not wait');
});

t.test('at its deadline a request is answered; one that has not begun never begins', async (t) => {
  const { socket, dir, engine } = await started(t);
  const log = join(dir, 'log');
  // The thread is there: starting it takes a busy machine longer than the deadline.
  await ask(socket, toyCall('ADD', 'c0'));
  const first = ask(socket, toyCall('ADD', 'c1', { log, waits: 3000 }, 1500));
  await until(() => existsSync(log), 'it has begun');
  const second = ask(socket, toyCall('ADD', 'c1', { log, waits: 3000 }, 150));
  const [working, waiting] = await Promise.all([first, second]);
  t.match(cniError(working), { code: 11, cniVersion: '1.0.0', details: /still at work/ });
  t.match(cniError(waiting), { code: 11, cniVersion: '1.0.0', details: /has not begun/ });
  const after = await ask(socket, toyCall('DEL', 'c1', { log }));
  t.match(after, { exitCode: 0 });
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  t.same(
    lines,
    ['ADD c1 begins', 'ADD c1 ends', 'DEL c1 begins', 'DEL c1 ends'],
    'DEL came after the late ADD',
  );
  t.equal((await engine.report()).requests?.late, 2);
});

t.test('a thread that dies over a request is told, and replaced', async (t) => {
  const { socket, engine } = await started(t);
  const died = await ask(socket, toyCall('ADD', 'c1', { dies: true }));
  t.match(died, { exitCode: 1 });
  t.match(cniError(died), { code: 999 });
  t.match(await ask(socket, toyCall('ADD', 'c1')), { exitCode: 0 });
  const crowd = Array.from({ length: 20 }, (_, i) =>
    ask(socket, toyCall('ADD', `c${i}`, { dies: i % 2 === 0 })),
  );
  const codes = (await Promise.all(crowd)).map((answer) => (answer as { exitCode: number }).exitCode);
  t.same(
    codes,
    Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 1 : 0)),
    'nobody else suffers',
  );
  t.match((await engine.report()).requests, { served: 22, failed: 11, running: 0, waiting: 0 });
});

t.test(
  'a launcher whose request is lost with its thread is not told anything, and does it alone',
  async (t) => {
    const { socket, engine } = await started(t);
    const lost = await saidTo(socket, toyLaunch('ADD', 'c1', { dies: true }));
    t.match([lost.toString('latin1', 0, 1), lost.length < 10], [TAKEN, true], 'nothing that is an answer');
    const next = await saidTo(socket, toyLaunch('ADD', 'c1'));
    t.match([next.toString('latin1', 0, 1), next[1]], [TAKEN, 0]);
    t.match((await engine.report()).requests, { served: 2, failed: 1, running: 0, waiting: 0 });
  },
);

t.test('a launcher that ends while its request waits has asked for nothing', async (t) => {
  const { socket, dir, engine } = await started(t);
  const log = join(dir, 'log');
  const first = ask(socket, toyCall('ADD', 'c1', { log, awaits: 'DEL c2 ends' }));
  await until(() => existsSync(log), 'it has begun');
  const gone = connect(socket);
  gone.write(toyLaunch('ADD', 'c1', { log }));
  await once(gone, 'data');
  const patient = saidTo(socket, toyLaunch('DEL', 'c1', { log }));
  await until(async () => (await engine.report()).requests?.waiting === 2, 'they wait');
  gone.destroy();
  await ask(socket, toyCall('DEL', 'c2', { log }));
  await first;
  t.match((await patient)[1], 0);
  t.notMatch(readFileSync(log, 'utf8'), /ADD c1 ends\nADD c1 begins/);
  t.match((await engine.report()).requests, { served: 3, refused: 1, running: 0, waiting: 0 });
});

t.test('a request that is refused keeps no engine alive', async (t) => {
  const { socket, engine } = await started(t, { idle: 400 });
  const refused = await ask(socket, { ...toyCall('ADD', 'c1'), program: 'bridge' });
  t.match(refused, { refused: { kind: 'unknown-program' } });
  await engine.ended;
  t.pass('it has ended by itself');
});

t.test('requests that are not for this engine', async (t) => {
  const { socket } = await started(t);
  const call = toyCall('ADD', 'c1');
  const refused = async (other: object): Promise<unknown> => {
    const answer = await ask(socket, { ...call, ...other } as typeof call);
    return (answer as { refused: { kind: string } }).refused.kind;
  };
  t.equal(await refused({ version: '0.0.0' }), 'other-version');
  t.equal(await refused({ protocol: 2 }), 'other-version');
  t.equal(await refused({ protocol: 2, kind: 'something new', sauce: 1 }), 'other-version');
  t.equal(await refused({ netns: '4:1' }), 'other-namespace');
  t.equal(await refused({ mntns: '4:1' }), 'other-namespace');
  t.equal(await refused({ program: 'bridge' }), 'unknown-program');
  for (const netns of ['/proc/self/ns/net', '/proc/thread-self/ns/net', '/dev/fd/3', 'netns'])
    t.equal(await refused({ environment: { ...call.environment, CNI_NETNS: netns } }), 'caller-only', netns);
  t.equal(await refused({ environment: { ...call.environment, CNI_PATH: '/bin:here' } }), 'caller-only');
  t.match(
    await ask(socket, { ...call, environment: { CNI_COMMAND: 'DEL' } }),
    { exitCode: 1 },
    'CNI decides the rest',
  );
});

t.test('the report is what its schema says', async (t) => {
  const { socket } = await started(t, { idle: 60_000 });
  await ask(socket, toyCall('ADD', 'c1'));
  const answer = await ask(socket, orderRequest('status'));
  const report: unknown = answer !== undefined && 'report' in answer ? answer.report : undefined;
  t.ok(validReport(report), JSON.stringify(validReport.errors));
  t.match(report, {
    running: true,
    pid: process.pid,
    startedBy: 'command',
    idleExit: 60,
    requests: { served: 1, failed: 0 },
    threads: { plugins: 1, tasks: 0 },
    connections: 1,
  });
});

/** A resident that keeps what it was given. */
function keeper(hosts: ResidentHost[], state: { busy: boolean; stopped: number }): MakeResident {
  return (host) => {
    hosts.push(host);
    const plugin = {
      name: 'keeper',
      about: 'keeps',
      role: 'ipam' as const,
      add: async () => {
        const domain = await host.runTask('toy/echo', 'echoed.example');
        return { interfaces: [], ips: [], routes: [], dns: { domain: String(domain) } };
      },
      check: () => {},
      del: () => {},
    };
    return {
      plugins: new Map([['keeper', plugin]]),
      status: () => ({ leases: 3, timers: 4 }),
      start: async () => {},
      stop: async () => {
        state.stopped += 1;
      },
      busy: () => state.busy,
    };
  };
}

t.test('a resident answers on the main loop, and has threads for its tasks', async (t) => {
  const hosts: ResidentHost[] = [];
  const state = { busy: true, stopped: 0 };
  const { socket, engine } = await started(t, { residents: [keeper(hosts, state)], idle: 200 });
  const answer = await ask(socket, { ...toyCall('ADD', 'c1'), program: 'keeper' });
  t.match(answer, { exitCode: 0, stdout: /echoed\.example/ });
  const task = async (name: string, argument: Json): Promise<unknown> => hosts[0]?.runTask(name, argument);
  t.same(await task('toy/echo', { a: [1, 'zwei', null] }), { a: [1, 'zwei', null] });
  await t.rejects(task('toy/fails', null), {
    kind: 'pool-exhausted',
    message: 'no toys left',
    details: 'buy some',
  });
  for (const name of ['toy/dies', 'toy/unknown', 'constructor'])
    await t.rejects(task(name, null), { name: 'NetmoorError', kind: 'internal' }, name);
  t.match(await engine.report(), { leases: 3, timers: 4 });
  state.busy = false;
  await engine.ended;
  t.equal(state.stopped, 1, 'it goes when nobody needs it');
});

t.test('a task is done while all threads of plugins wait', async (t) => {
  const hosts: ResidentHost[] = [];
  const { socket, engine, dir } = await started(t, {
    residents: [keeper(hosts, { busy: true, stopped: 0 })],
  });
  const log = join(dir, 'log');
  const waits = Array.from({ length: 6 }, (_, i) =>
    ask(socket, toyCall('ADD', `c${i}`, { log, awaits: 'go on' })),
  );
  await until(async () => (await engine.report()).requests?.running === 6, 'all are given out');
  t.equal(await hosts[0]?.runTask('toy/echo', 'soon'), 'soon');
  t.equal((await engine.report()).requests?.served, 0, 'before any of them');
  appendFileSync(log, 'go on\n');
  await Promise.all(waits);
});

t.test('where all threads wait for something, others need not wait for it', async (t) => {
  const { socket, engine, dir } = await started(t);
  const log = join(dir, 'log');
  const waits = Array.from({ length: 6 }, (_, i) =>
    ask(socket, toyCall('ADD', `c${i}`, { log, awaits: 'go on' })),
  );
  await until(async () => (await engine.report()).requests?.running === 6, 'all are given out');
  t.match(await ask(socket, toyCall('ADD', 'other')), { exitCode: 0 });
  t.match((await engine.report()).requests, { served: 1, running: 6 }, 'before any of them');
  appendFileSync(log, 'go on\n');
  await Promise.all(waits);
});

t.test('stopping: what is under way comes to its end, nothing new begins', async (t) => {
  const { socket, engine } = await started(t);
  const late = ask(socket, toyCall('ADD', 'c1', { waits: 300 }));
  await until(async () => (await engine.report()).requests?.running === 1, 'it runs');
  t.match(await ask(socket, orderRequest('stop')), { stopping: process.pid });
  await t.rejects(
    ask(socket, toyCall('ADD', 'c2')).then((a) => (a === undefined ? Promise.reject(new Error()) : a)),
  );
  t.match(await late, { exitCode: 0 });
  await engine.ended;
});

t.test('threads end when they have nothing to do', async (t) => {
  const { socket, engine } = await started(t, { idleThread: 50 });
  await Promise.all(Array.from({ length: 8 }, (_, i) => ask(socket, toyCall('ADD', `c${i}`, { waits: 20 }))));
  await until(async () => (await engine.report()).threads?.plugins === 0, 'no threads');
  t.match(await ask(socket, toyCall('ADD', 'c1')), { exitCode: 0 }, 'and come again');
});

t.test('nothing is logged once the engine has ended', async (t) => {
  const { engine, socket, lines } = await toyEngine(shortDirectory(t));
  const said = saidTo(socket, toyLaunch('ADD', 'c1', { waits: 300 }));
  await until(async () => (await engine.report()).requests?.running === 1, 'the request');
  void engine.stop('test');
  await engine.ended;
  const atEnd = [...lines];
  t.match(atEnd.join('\n'), 'done in');
  t.equal((await said).toString('latin1', 0, 1), TAKEN);
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.same(lines, atEnd);
});
