/**
 * The edge of the process: what really goes through stdin, stdout and the exit code; and the real world's files and
 * programs.
 */
import t from 'tap';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { realWorld } from '../../lib/cni/real-world.ts';
import { environmentOf } from './cni-fakes.ts';
import { naming } from '../naming.ts';

const PLUGIN = join(import.meta.dirname, 'cni-entry-plugin.ts');
const CONFIG = { cniVersion: '1.0.0', name: 'net1', type: 'fake' };

/** Sets O_NONBLOCK on stdin and stdout, as a careless parent leaves them, and becomes the plugin. */
const NONBLOCKING =
  'use Fcntl; for (*STDIN, *STDOUT) { fcntl($_, F_SETFL, fcntl($_, F_GETFL, 0) | O_NONBLOCK) or die } exec @ARGV';

function run(
  command: string | undefined,
  input: string | Buffer,
): { status: number | null; stdout: string; stderr: string } {
  const env = environmentOf('ADD', { CNI_COMMAND: command });
  return spawnSync(process.execPath, [PLUGIN], { env, input, encoding: 'utf8', maxBuffer: 1 << 26 });
}

function start(command: string, nonBlocking = false): ChildProcess {
  const env = environmentOf(command, { PATH: process.env['PATH'] });
  const [program, args] = nonBlocking
    ? ['perl', ['-e', NONBLOCKING, process.execPath, PLUGIN]]
    : [process.execPath, [PLUGIN]];
  return spawn(program, args, { env, stdio: 'pipe' });
}

async function ended(
  child: ChildProcess,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const collect = (stream: ChildProcess['stdout']): Promise<string> =>
    stream === null || stream.destroyed ? Promise.resolve('') : text(stream);
  const output = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const [status] = (await once(child, 'close')) as [number | null];
  const [stdout, stderr] = await output;
  return { status, stdout, stderr };
}

t.test('ADD: one document on stdout, exit code 0', async (t) => {
  const { status, stdout, stderr } = run('ADD', JSON.stringify(CONFIG));
  t.equal(stderr, '');
  t.equal(status, 0);
  t.strictSame(JSON.parse(stdout), { cniVersion: '1.0.0', ips: [{ address: '10.1.0.2/16' }] });
});

t.test('errors: one document on stdout, exit code 1', async (t) => {
  for (const [input, code] of [
    ['{', 6],
    ['', 6],
    ['{}', 7],
    [Buffer.alloc(10_000_000, 0x20), 6],
  ] as const) {
    const { status, stdout, stderr } = run('ADD', input);
    t.match({ status, stderr }, { status: 1, stderr: '' });
    t.match(JSON.parse(stdout), { code, msg: String });
  }
});

t.test('without CNI_COMMAND: words on stderr, exit code 0', async (t) => {
  t.match(run(undefined, ''), { status: 0, stdout: '', stderr: naming('fake: a plugin') });
});

t.test('VERSION answers while stdin is still open', async (t) => {
  const child = start('VERSION');
  const { status, stdout } = await ended(child);
  t.equal(status, 0);
  t.match(JSON.parse(stdout), { cniVersion: '1.1.0', supportedVersions: ['0.1.0'] });
});

t.test('stdin and stdout that do not block: input in pieces, a long answer', async (t) => {
  const child = start('ADD', true);
  const done = ended(child);
  const [first, second] = [
    JSON.stringify({ ...CONFIG, lines: 20_000 }).slice(0, 20),
    JSON.stringify({ ...CONFIG, lines: 20_000 }).slice(20),
  ];
  child.stdin?.write(first);
  child.stdin?.end(second);
  const { status, stdout } = await done;
  t.equal(status, 0);
  t.equal((JSON.parse(stdout) as { dns: { search: string[] } }).dns.search.length, 20_000);
});

t.test('a plugin that cannot be loaded: an answer all the same', async (t) => {
  const script = `import { runPlugin } from '${join(import.meta.dirname, '../../lib/cni/entry.ts')}';
    await runPlugin(async () => { throw new Error('torn'); });`;
  const file = join(t.testdir({ 'broken.mjs': script }), 'broken.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    env: environmentOf('ADD'),
    encoding: 'utf8',
  });
  t.strictSame({ status, stderr }, { status: 1, stderr: '' });
  t.match(JSON.parse(stdout), { cniVersion: '1.1.0', code: 999, msg: 'torn' });
});

t.test('nobody reads the answer: that is a failure, and no crash', async (t) => {
  const child = start('ADD');
  child.stdout?.destroy();
  const done = ended(child);
  child.stdin?.end(JSON.stringify({ ...CONFIG, lines: 20_000 }));
  const { status, stderr } = await done;
  t.equal(status, 1);
  t.equal(stderr, '');
});

t.test('the real world: programs', async (t) => {
  const directory = t.testdir();
  const program = (name: string, script: string): { file: string } => {
    const file = join(directory, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return { file };
  };
  const world = realWorld();
  const input = { environment: { CNI_COMMAND: 'ADD' }, stdin: Buffer.from('in'), timeLimit: 60_000 };
  const echo = world.execute(
    program('echo', 'printf "%s %s" "$CNI_COMMAND" "$(cat)"; echo oops >&2; exit 3'),
    input,
  );
  t.match(echo, { exitCode: 3, stderr: 'oops\n', killedBy: undefined });
  t.equal(echo.stdout.toString(), 'ADD in');
  t.equal(
    world.execute(program('deaf', 'exec true'), { ...input, stdin: Buffer.alloc(1 << 20) }).exitCode,
    0,
    'one that does not read',
  );
  t.match(world.execute(program('kill', 'kill -9 $$'), input), { exitCode: undefined, killedBy: 'SIGKILL' });
  t.match(world.execute(program('hang', 'exec sleep 600'), { ...input, timeLimit: 100 }), {
    exitCode: undefined,
    killedBy: 'time limit',
  });
  t.throws(() => world.execute({ file: join(directory, 'absent') }, input), { code: 'ENOENT' });
  const named = world.execute(
    { file: '/bin/sh', args: ['-c', 'tr "\\0" " " < /proc/$$/cmdline'], argv0: 'me' },
    input,
  );
  t.match(named.stdout.toString(), /^me -c /, 'with arguments, under another name');
  t.ok(world.isExecutable(join(directory, 'echo')));
  writeFileSync(join(directory, 'plain'), '');
  mkdirSync(join(directory, 'sub'));
  for (const name of ['plain', 'sub', 'absent']) t.notOk(world.isExecutable(join(directory, name)), name);
});

t.test('the real world: files, time, identity', async (t) => {
  const directory = t.testdir({ short: 'nameserver 10.0.0.1\n', long: 'x'.repeat(100_000), empty: '' });
  const world = realWorld();
  t.equal(world.readText(join(directory, 'short')), 'nameserver 10.0.0.1\n');
  t.equal(world.readText(join(directory, 'long')).length, 64 * 1024);
  t.equal(world.readText(join(directory, 'empty')), '');
  t.throws(() => world.readText(join(directory, 'absent')), { code: 'ENOENT' });
  t.match(world.bootId, /^[0-9a-f-]{36}$/);
  t.match(world.ownNetnsId(), /^\d+:\d+$/);
  t.equal(world.random(5).length, 5);
  t.equal(world.pid, process.pid);
  t.throws(() => world.openNetns('/etc/passwd'), { kind: 'bad-netns', message: naming('/etc/passwd') });
  const own = world.openNetns('/proc/self/ns/net');
  t.equal(own.id, world.ownNetnsId());
  world.closeNetns(own);
});
