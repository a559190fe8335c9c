/** The launcher under sanitizers, with engines that lie to it: whatever they say, it answers rightly or steps aside. */
import { execFile } from 'node:child_process';
import { renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { Test } from 'tap';
import { makeLauncher } from '../../cli/build/launcher.ts';
import { LAUNCHER } from '../../cli/build/paths.ts';
import { CURRENT_VERSION, versionAnswer } from '../../lib/cni/versions.ts';
import {
  LAUNCHER_HEADER_BYTES,
  MAGIC,
  decodeLauncherRequest,
  encodeLauncherAnswer,
  launcherFrameLength,
} from '../../lib/engine/launcher-frame.ts';
import type { LauncherRequest } from '../../lib/engine/launcher-frame.ts';
import { FRAME_BYTES } from '../../lib/engine/protocol.ts';
import { VERSION, ownNamespaces } from '../../lib/engine/request.ts';
import { lacking } from '../kernel/harness-lacking.ts';
import { LEAK_CHECK, build } from './launcher-build.ts';

const ship = build(t);
const ADD = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'boat' };

/** An engine that answers as it is told; what it was asked. */
async function engine(
  t: Test,
  answer: (socket: Socket, asked: Buffer) => void,
): Promise<{ asked: LauncherRequest[] }> {
  const asked: LauncherRequest[] = [];
  const server: Server = createServer((socket) => {
    let frame = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      frame = Buffer.concat([frame, chunk]);
      if (frame.length < LAUNCHER_HEADER_BYTES) return;
      const body = frame.subarray(LAUNCHER_HEADER_BYTES);
      if (body.length < launcherFrameLength(frame)) return;
      asked.push(decodeLauncherRequest(body));
      answer(socket, frame);
    });
  });
  await new Promise<void>((resolve) => server.listen(ship.socket, resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  return { asked };
}

const answerOf = (exitCode: number, stdout: string, stderr = ''): Buffer =>
  Buffer.concat([Buffer.from('T'), encodeLauncherAnswer({ exitCode, stdout, stderr })]);

t.test('the launcher that is built', (t) => {
  t.ok(statSync(LAUNCHER).size < 100_000, 'is small');
  t.end();
});

const EMULATED = { skip: lacking('aarch64-linux-gnu-gcc', 'qemu-aarch64') ?? false };

t.test('the same for arm64', EMULATED, async (t) => {
  const directory = t.testdir({});
  const launcher = join(directory, 'launcher');
  makeLauncher({ arch: 'arm64', launcher, work: directory });
  t.ok(statSync(launcher).size < 1_000_000, 'is small');
  const named = ['-0', '/opt/cni/bin/bridge-nat', launcher];
  const version = { env: { ...process.env, CNI_COMMAND: 'VERSION' } };
  const { stdout } = await promisify(execFile)('qemu-aarch64', named, version);
  t.same(JSON.parse(stdout), JSON.parse(versionAnswer()), 'runs');
  const alone = { env: { ...process.env, ...ADD } };
  const add: unknown = await promisify(execFile)('qemu-aarch64', named, alone).catch((error) => error);
  t.match(add, { code: 1, stdout: /executable cannot be run: No such file/ }, 'and looks beside it');
});

t.test('VERSION is answered without anybody', async (t) => {
  t.match(await ship.run('bridge-nat', { env: { CNI_COMMAND: 'VERSION' } }), {
    code: 0,
    stdout: versionAnswer(),
    stderr: '',
  });
});

t.test('without an engine it becomes the one-shot, input and all', async (t) => {
  const input = 'x'.repeat(70_000);
  t.match(await ship.run('bridge-nat', { env: ADD, input }), { code: 7, stdout: `alone \n${input}` });
  t.match(await ship.run('bridge-nat', { args: ['a', 'b c'] }), { code: 7, stdout: 'alone a b c\n' });
  const version = await ship.run('netmoor-hook', {
    args: ['poststop'],
    env: { CNI_COMMAND: 'VERSION' },
    input,
  });
  t.match(version, { code: 7, stdout: `alone poststop\n${input}` });
});

t.test('what the engine is asked, and what it says', async (t) => {
  const { asked } = await engine(t, (socket) => socket.end(answerOf(3, 'out\0put', 'complaint')));
  const env = { ...ADD, ODD: 'a=b\n"\u{1F6A2}', EMPTY: '' };
  const input = Buffer.from('{"name":"\0x"}'.repeat(5_000));
  const launched = await ship.run('bridge-nat', { args: ['one', ''], env, input });
  t.same(launched, { code: 3, stdout: 'out\0put', stderr: 'complaint' });
  t.match(asked[0], { version: VERSION, program: 'bridge-nat', args: ['one', ''], environment: env });
  t.match(asked[0], { ...ownNamespaces(), executable: join(ship.directory, 'bin/netmoor') });
  t.ok(asked[0]?.stdin.equals(input), 'stdin as it was');
  t.match(await ship.run('netmoor-hook', { args: ['prestart'], input: '{}' }), { code: 3 });
  t.match(asked[1], { program: 'netmoor-hook', args: ['prestart'] });
});

t.test('a namespace that is gone is the engine’s to tell of', async (t) => {
  const { asked } = await engine(t, (socket) => socket.end(answerOf(0, '')));
  const env = { CNI_COMMAND: 'DEL', CNI_NETNS: '/no/such/netns' };
  t.match(await ship.run('bridge-nat', { env, input: 'config' }), { code: 0 });
  t.match(asked[0], { environment: env });
});

t.test('an answer in pieces', async (t) => {
  await engine(t, async (socket) => {
    for (const byte of answerOf(0, 'a result')) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
  });
  t.match(await ship.run('bridge-nat', { env: ADD, input: 'config' }), { code: 0, stdout: 'a result' });
});

t.test('the largest answer', async (t) => {
  const text = 'r'.repeat(FRAME_BYTES - 100);
  await engine(t, (socket) => socket.end(answerOf(0, text, 'e'.repeat(50))));
  const { code, stdout } = await ship.run('bridge-nat', { env: ADD, input: 'config' });
  t.equal(code, 0);
  t.ok(stdout === text);
});

const head = (status: number, out: number, err: number): Buffer => {
  const bytes = Buffer.alloc(10);
  bytes.write('T');
  bytes.writeUInt8(status, 1);
  bytes.writeUInt32BE(out, 2);
  bytes.writeUInt32BE(err, 6);
  return bytes;
};

t.test('an engine that refuses, dies, or lies', async (t) => {
  const lies: Readonly<Record<string, Buffer>> = {
    'a refusal': Buffer.from('R'),
    nothing: Buffer.alloc(0),
    'something else': Buffer.from('HTTP/1.1 200 OK\r\n\r\n'),
    'taken, and no more': Buffer.from('T'),
    'half a head': head(0, 10, 0).subarray(0, 5),
    'half an answer': Buffer.concat([head(0, 10, 0), Buffer.from('12345')]),
    'an answer of 4 GiB': head(0, 0xffffffff, 0),
    'two that are 4 GiB together': head(0, 0x80000000, 0x80000000),
    'one byte too many': head(0, FRAME_BYTES, 1),
  };
  for (const [name, bytes] of Object.entries(lies))
    await t.test(name, async (t) => {
      await engine(t, (socket) => socket.end(bytes));
      const launched = await ship.run('bridge-nat', { env: ADD, input: 'config' });
      t.match(launched, { code: 7, stdout: 'alone \nconfig', stderr: '' }, 'the one-shot has its input');
    });
  await t.test('one that is in no hurry to say', async (t) => {
    const open: Socket[] = [];
    await engine(t, (socket) => void open.push(socket));
    const launched = await ship.run('bridge-nat', { env: ADD, input: 'config' });
    t.match(launched, { code: 7, stdout: 'alone \nconfig' });
    for (const socket of open) socket.destroy();
  });
});

t.test('input that is too long goes on to the one-shot', async (t) => {
  const { asked } = await engine(t, (socket) => socket.end(answerOf(0, 'never')));
  const input = Buffer.alloc(3 * 1024 * 1024, 'y');
  const { code, stdout } = await ship.run('bridge-nat', { env: ADD, input });
  t.equal(code, 7);
  t.equal(stdout.length, 'alone \n'.length + 1024 * 1024 + 1, 'one byte more than it accepts');
  t.equal(asked.length, 0);
});

t.test('a result that nobody takes is a failure', async (t) => {
  await engine(t, (socket) => socket.end(answerOf(0, 'r'.repeat(200_000))));
  const script = 'set -o pipefail; { printf config | "$0"; printf %s $? >&2; } | true';
  const options = { env: { ...process.env, ...ADD } };
  const { stderr } = await promisify(execFile)(
    'bash',
    ['-c', script, join(ship.directory, 'bridge-nat')],
    options,
  );
  t.equal(stderr, '1');
});

t.test('a caller who has closed stdin, or all', async (t) => {
  const { asked } = await engine(t, (socket) => socket.end(answerOf(0, 'a result')));
  const run = async (closing: string): Promise<string> => {
    const [script, program] = [`"$0" ${closing}; printf " %s" $?`, join(ship.directory, 'bridge-nat')];
    const options = { env: { ...process.env, ...ADD, ...LEAK_CHECK } };
    return (await promisify(execFile)('bash', ['-c', script, program], options)).stdout;
  };
  t.equal(await run('<&-'), 'a result 0');
  t.equal(await run('<&- >&- 2>&-'), ' 1', 'a result that cannot be told is a failure');
  t.same(
    asked.map(({ stdin }) => stdin.length),
    [0, 0],
    'the engine is asked, with no input',
  );
});

t.test('an installation without its executable', async (t) => {
  const [here, gone] = [join(ship.directory, 'bin/netmoor'), join(ship.directory, 'bin/gone')];
  renameSync(here, gone);
  const { code, stdout } = await ship.run('bridge-nat', { env: ADD, input: 'config' });
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { cniVersion: CURRENT_VERSION, code: 999, details: /install netmoor/ });
  renameSync(gone, here);
});

t.test('what is no request of a launcher', (t) => {
  for (const body of [
    '',
    'a',
    'a\0b\0c\0d\0e\0f\0',
    'a\0b\0c\0d\0e\0f\0g\0x\0',
    'a\0b\0c\0d\0e\0f\0g\x0099999\0',
    'a\0b\0c\0d\0e\0f\0g\x001\0',
  ])
    t.throws(
      () => decodeLauncherRequest(Buffer.from(body)),
      { name: 'MalformedFrame' },
      JSON.stringify(body),
    );
  t.throws(() => launcherFrameLength(Buffer.from(`${MAGIC}\xff\xff\xff\xff`, 'latin1')), {
    name: 'MalformedFrame',
  });
  t.throws(() => launcherFrameLength(Buffer.from('NMLX\0\0\0\x01')), { name: 'MalformedFrame' });
  t.end();
});
