/**
 * A thread that listens at `workerData.path` and behaves as `workerData.mode` says: what a client may meet where it
 * expects the engine.
 */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export type Mode =
  | 'proper'
  | 'in pieces'
  | 'silent'
  | 'closes at once'
  | 'closes after reading'
  | 'half an answer'
  | 'garbage'
  | 'too large'
  | 'another answer'
  | 'refuses unread'
  | 'reads nothing';

function framed(text: string, length = Buffer.byteLength(text)): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(length);
  return Buffer.concat([header, Buffer.from(text)]);
}

const ANSWER = JSON.stringify({ exitCode: 0, stdout: 'ä'.repeat(1000), stderr: '' });
const REFUSED = JSON.stringify({ refused: { kind: 'too-busy', message: 'too busy', details: 'wait' } });

async function drip(socket: Socket): Promise<void> {
  for (const byte of framed(ANSWER)) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
}

const BEHAVIOUR: Readonly<Record<Mode, (socket: Socket) => unknown>> = {
  proper: (socket) => socket.end(framed(ANSWER)),
  'in pieces': drip,
  silent: () => {},
  'closes at once': (socket) => socket.destroy(),
  'closes after reading': (socket) => socket.end(),
  'half an answer': (socket) => socket.end(framed(ANSWER).subarray(0, 500)),
  garbage: (socket) => socket.end(framed('{"exitCode":')),
  'too large': (socket) => socket.end(framed('x', 0xffffffff)),
  'another answer': (socket) => socket.end(framed('{"exitCode":"0"}')),
  'refuses unread': (socket) => socket.end(framed(REFUSED), () => socket.destroy()),
  'reads nothing': (socket) => socket.pause(),
};

const { path, mode } = workerData as { path: string; mode: Mode };
const unread = ['closes at once', 'refuses unread', 'reads nothing', 'silent'].includes(mode);
const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
  socket.on('error', () => {});
  if (unread) return void BEHAVIOUR[mode](socket);
  // Answers once something has come, and goes on reading.
  socket.once('data', () => BEHAVIOUR[mode](socket));
  socket.resume();
});
server.listen(path, () => parentPort?.postMessage('listens'));
