/** What may arrive at the engine's socket: nothing of it stops the engine, or keeps others waiting. */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { LIMITS } from '../../cli/engine/connection.ts';
import { placesIn, secureDirectory } from '../../lib/engine/places.ts';
import {
  FRAME_BYTES,
  MalformedFrame,
  decodeAnswer,
  decodeRequest,
  encodeFrame,
} from '../../lib/engine/protocol.ts';
import { orderRequest } from '../../lib/engine/request.ts';
import { until } from '../kernel/harness-until.ts';
import { answerTo, ask, everything, shortDirectory, toyCall, toyEngine } from './engine-toy.ts';
import type { ToyEngine } from './engine-toy.ts';

async function started(t: Test, limits: object = {}): Promise<ToyEngine & { dir: string }> {
  const dir = shortDirectory(t);
  const toy = await toyEngine(dir, { limits: { ...LIMITS, ...limits } });
  t.teardown(async () => toy.engine.stop('the test is over'));
  return { ...toy, dir };
}

function framed(body: Uint8Array | string, length = Buffer.byteLength(body)): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(length);
  return Buffer.concat([header, Buffer.from(body)]);
}

const REFUSED = { refused: { kind: 'malformed' } };

t.test('garbage is refused', async (t) => {
  const { socket } = await started(t);
  const valid = JSON.stringify(toyCall('ADD', 'c1'));
  const bad: Readonly<Record<string, Uint8Array | string>> = {
    nothing: '',
    'half a header': Buffer.from([0, 0]),
    'a frame of no bytes': framed(''),
    'a frame cut off': framed(valid, valid.length + 10),
    'two frames': Buffer.concat([framed(valid), framed(valid)]),
    'a frame too large': framed('x', FRAME_BYTES + 1),
    'a frame of 4 GiB': framed('x', 0xffffffff),
    'no JSON': framed('{'),
    'no UTF-8': framed(Buffer.from([0x22, 0xff, 0x22])),
    'no object': framed('"engine"'),
    null: framed('null'),
    'another kind': framed(valid.replace('"plugin"', '"reboot"')),
    'a member too many': framed(valid.replace('{', '{"extra":1,')),
    'a deadline below zero': framed(valid.replace('30000', '-1')),
    'an environment of numbers': framed(valid.replace('"CNI_COMMAND":"ADD"', '"CNI_COMMAND":1')),
    'a status with more': framed(JSON.stringify({ ...orderRequest('status'), program: 'x' })),
    'random bytes': framed(randomBytes(1000)),
  };
  for (const [name, bytes] of Object.entries(bad))
    t.match(await answerTo(socket, Buffer.from(bytes)), REFUSED, name);
  t.match(await ask(socket, toyCall('ADD', 'c1')), { exitCode: 0 }, 'and the engine goes on');
});

t.test('a request in small pieces is read', async (t) => {
  const { socket } = await started(t);
  const client = connect(socket);
  for (const byte of encodeFrame(orderRequest('status'))) {
    client.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const said = await everything(client);
  t.match(decodeAnswer(said.subarray(4)), { report: { running: true } });
});

t.test('the largest request there is', async (t) => {
  const { socket } = await started(t);
  const call = toyCall('ADD', 'c1');
  const stdin = Buffer.from(
    JSON.stringify({
      cniVersion: '1.0.0',
      name: 'toys',
      type: 'toy',
      told: {},
      x: 'y'.repeat(1024 * 1024 - 100),
    }),
  );
  t.match(await ask(socket, { ...call, stdin: stdin.toString('base64') }), { exitCode: 0 });
  t.throws(() => encodeFrame({ ...call, stdin: 'x'.repeat(FRAME_BYTES) }), MalformedFrame);
});

t.test('clients that hang are sent away, and nobody waits for them', async (t) => {
  const { socket, engine } = await started(t, { request: 400 });
  const hanging = Array.from({ length: 50 }, () => connect(socket));
  for (const client of hanging) client.write(Buffer.from([0, 0, 1]));
  await until(async () => (await engine.report()).connections === 50, 'they are there');
  t.match(await ask(socket, toyCall('ADD', 'c1')), { exitCode: 0 });
  t.equal((await engine.report()).connections, 50, 'they still are');
  for (const said of await Promise.all(hanging.map(everything)))
    t.match(decodeAnswer(said.subarray(4)), { refused: { kind: 'malformed', message: /in time/ } });
  await until(async () => (await engine.report()).connections === 0, 'they are gone');
});

t.test('connections and bytes are bounded', async (t) => {
  const { socket, engine } = await started(t, { connections: 4, bytes: 100_000, request: 60_000 });
  const clients = Array.from({ length: 4 }, () => connect(socket));
  await until(async () => (await engine.report()).connections === 4, 'they are there');
  t.match(await ask(socket, orderRequest('status')), { refused: { kind: 'too-busy' } });
  clients[0]?.destroy();
  await until(async () => (await engine.report()).connections === 3, 'there is room');
  const large = framed('x'.repeat(200_000), 1_000_000);
  t.match(await answerTo(socket, large), { refused: { kind: 'too-busy' } }, 'too many bytes');
  t.match(await ask(socket, orderRequest('status')), { report: {} }, 'which are forgotten with their client');
  for (const client of clients) client.destroy();
});

t.test('bytes count until they are answered', async (t) => {
  const { socket, engine, dir } = await started(t, { bytes: 400_000 });
  const log = join(dir, 'log');
  const padding = 'x'.repeat(300_000);
  const first = ask(socket, toyCall('ADD', 'c1', { log, awaits: 'DEL c2 ends', padding }));
  await until(async () => (await engine.report()).requests?.running === 1, 'it has begun');
  const large = await ask(socket, toyCall('ADD', 'c3', { padding }));
  t.match(large, { refused: { kind: 'too-busy' } }, 'no room for another');
  t.match(await ask(socket, toyCall('DEL', 'c2', { log })), { exitCode: 0 }, 'what is small is done');
  t.match(await first, { exitCode: 0 });
  t.match(await ask(socket, toyCall('ADD', 'c3', { padding })), { exitCode: 0 });
});

t.test('clients that go before they are answered', async (t) => {
  const { socket, engine } = await started(t);
  for (let i = 0; i < 20; i++) {
    const client = connect(socket);
    client.on('error', () => {});
    client.write(encodeFrame(toyCall('ADD', `c${i}`, { waits: 10 })), () => client.destroy());
  }
  await until(async () => (await engine.report()).requests?.served === 20, 'all are done all the same');
  t.match(await ask(socket, orderRequest('status')), { report: { connections: 1 } });
});

t.test('clients that never take their answer, or never go', async (t) => {
  const { socket, engine } = await started(t, { answer: 1_000 });
  const clients = Array.from({ length: 10 }, () => connect({ path: socket, allowHalfOpen: true }));
  for (const client of clients) {
    client.on('error', () => {});
    client.write(encodeFrame(orderRequest('status')));
  }
  await until(async () => (await engine.report()).connections === 10, 'they are there');
  await until(async () => (await engine.report()).connections === 0, 'they are sent away');
  t.match(await ask(socket, orderRequest('status')), { report: { connections: 1 } });
  for (const client of clients) client.destroy();
});

t.test('only what was sent is decoded', async (t) => {
  t.throws(() => decodeRequest(Buffer.from('[]')), MalformedFrame);
  t.throws(() => decodeAnswer(Buffer.from('{"exitCode":0}')), MalformedFrame);
  t.throws(
    () => decodeAnswer(Buffer.from('{"refused":{"kind":"mood","message":"","details":""}}')),
    MalformedFrame,
  );
  t.same(decodeRequest(Buffer.from('{"protocol":7}')), { otherProtocol: 7 });
});

t.test('the place of the socket', async (t) => {
  const hostile = { name: 'EngineError', trouble: 'hostile' };
  const dir = shortDirectory(t);
  const places = placesIn(join(dir, 'engine'));
  secureDirectory(places);
  symlinkSync('/nowhere', places.socket);
  await t.rejects(toyEngine(dir), hostile, 'a symbolic link');
  rmSync(places.socket);
  writeFileSync(places.socket, '');
  await t.rejects(toyEngine(dir), hostile, 'a file');
  rmSync(places.socket);
  const other = createServer().listen(places.socket);
  await t.rejects(toyEngine(dir), hostile, 'somebody else');
  await new Promise((resolve) => other.close(resolve));
  const { engine } = await toyEngine(dir);
  t.equal(lstatSync(places.socket).mode & 0o777, 0o600);
  await t.rejects(toyEngine(dir), { message: 'there is an engine already' });
  await engine.stop('enough');
  t.notOk(existsSync(places.socket));
});

t.test('a directory that others can write to', async (t) => {
  const dir = shortDirectory(t);
  const places = placesIn(join(dir, 'engine'));
  secureDirectory(places);
  const { chmodSync } = await import('node:fs');
  chmodSync(places.directory, 0o777);
  await t.rejects(toyEngine(dir), { name: 'EngineError', trouble: 'hostile' });
});

t.test('an engine whose socket is taken away goes', async (t) => {
  const { engine, socket, lines } = await started(t);
  rmSync(socket);
  writeFileSync(socket, '');
  await engine.ended;
  t.ok(existsSync(socket), 'what is there now is not touched');
  t.match(lines.join(' '), /its socket is gone/);
});
