/** Clients of the engine that are no launcher, most of which do what none should: see MISDEEDS. */
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { SystemError } from '../../lib/base/errors.ts';
import { TAKEN } from '../../lib/engine/launcher-frame.ts';
import { ENGINE_SOCKET, HEADER_BYTES, decodeAnswer, encodeFrame } from '../../lib/engine/protocol.ts';
import { pluginRequest } from '../../lib/engine/request.ts';
import { Libc } from '../../lib/system/native.ts';
import { UnixStream } from '../../lib/system/unix-stream.ts';
import { launcherFrame } from '../kernel/launcher-request.ts';
import type { LaunchedCall } from '../kernel/launcher-request.ts';

const CONNECT_MS = 10_000;
/** Far more than the engine lets a client hang. */
const SENT_AWAY_MS = 30_000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;

export interface Answered {
  readonly exitCode: number;
  readonly stdout: string;
}

function connected(): UnixStream {
  const deadline = performance.now() + CONNECT_MS;
  return UnixStream.connect(ENGINE_SOCKET, () => deadline - performance.now());
}

/** The rest of a connection; empty where the engine broke it. */
async function said(stream: UnixStream, milliseconds = 60_000): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = new Socket({ fd: stream.fd });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('the engine keeps a connection')), milliseconds);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => resolve());
  socket.on('close', () => resolve());
  try {
    await promise;
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** A plugin's call in the form of lib/engine/protocol.ts. Undefined when the connection ended without an answer. */
export async function ask({ program, environment, stdin }: LaunchedCall): Promise<Answered | undefined> {
  const stream = connected();
  const request = pluginRequest({ program, environment, stdin: Buffer.from(stdin), deadline: 60_000 });
  stream.send(encodeFrame(request), () => CONNECT_MS);
  const answer = await said(stream);
  if (answer.length === 0) return undefined;
  const decoded = decodeAnswer(answer.subarray(HEADER_BYTES));
  return 'exitCode' in decoded ? decoded : undefined;
}

function pointers(...values: readonly (bigint | number)[]): Buffer {
  const buffer = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => void buffer.writeBigUInt64LE(BigInt(value), index * 8));
  return buffer;
}

/** sendmsg(2) of data with descriptors. */
export function sendRights(fd: number, data: Buffer, descriptors: readonly number[]): void {
  const libc = Libc.get();
  const length = 16 + 4 * descriptors.length;
  const control = Buffer.alloc(Math.ceil(length / 8) * 8);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  descriptors.forEach((each, index) => void control.writeInt32LE(each, 16 + 4 * index));
  const iovec = pointers(libc.addressOf(data), data.length);
  const message = pointers(0, 0, libc.addressOf(iovec), 1, libc.addressOf(control), control.length, 0);
  const signature = 'int64_t sendmsg(int, const void *, int)';
  const result = libc.call(signature, fd, message, MSG_NOSIGNAL);
  if (result < 0) throw new SystemError('send', -result);
  // Referred to by their addresses alone until here.
  if (iovec.length + control.length === 0) throw new TypeError('nothing sent');
}

/** As the launcher asks, with so many descriptors of the namespace at `netns`; undefined when it was not taken. */
export async function askWithRights(
  request: LaunchedCall,
  netns: string,
  count: number,
): Promise<Answered | undefined> {
  const stream = connected();
  const descriptors = Array.from({ length: count }, () => openSync(netns, 'r'));
  try {
    sendRights(stream.fd, launcherFrame(request), descriptors);
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
  const answer = await said(stream);
  if (answer.toString('latin1', 0, 1) !== TAKEN || answer.length < 10) return undefined;
  return { exitCode: answer.readUInt8(1), stdout: answer.toString('utf8', 10, 10 + answer.readUInt32BE(2)) };
}

type Misdeed = (request: LaunchedCall, random: () => number) => Promise<void>;

async function partOf(frame: Buffer, random: () => number): Promise<UnixStream> {
  const stream = connected();
  stream.send(frame.subarray(0, 1 + Math.floor(random() * (frame.length - 1))), () => CONNECT_MS);
  return stream;
}

function frameOf({ program, environment, stdin }: LaunchedCall): Buffer {
  return encodeFrame(pluginRequest({ program, environment, stdin: Buffer.from(stdin), deadline: 1000 }));
}

/** None of them asks for anything that would change something. */
export const MISDEEDS: Readonly<Record<string, Misdeed>> = {
  'says nothing': async () => void (await said(connected(), SENT_AWAY_MS)),
  'says nothing and goes': async (_request, random) => {
    const stream = connected();
    await pause(random() * 50);
    stream.close();
  },
  'half a frame, and waits': async (request, random) =>
    void (await said(await partOf(frameOf(request), random), SENT_AWAY_MS)),
  'half a frame of a launcher with a descriptor, and waits': async (request, random) => {
    const frame = launcherFrame(request);
    const stream = connected();
    const fd = openSync('/proc/self/ns/net', 'r');
    sendRights(stream.fd, frame.subarray(0, 1 + Math.floor(random() * (frame.length - 1))), [fd]);
    closeSync(fd);
    await said(stream, SENT_AWAY_MS);
  },
  'half a frame, and goes': async (request, random) => (await partOf(frameOf(request), random)).close(),
  'goes before the answer': async (request) => {
    const stream = connected();
    stream.send(frameOf(request), () => CONNECT_MS);
    stream.close();
  },
  'a launcher goes before the answer': async (request, random) => {
    const stream = connected();
    const fd = openSync('/proc/self/ns/net', 'r');
    sendRights(stream.fd, launcherFrame(request), [fd]);
    closeSync(fd);
    await pause(random() * 3);
    stream.close();
  },
  'descriptors of all kinds': async (request) => {
    const stream = connected();
    const paths = ['/dev/null', '/proc/self/ns/mnt', '/etc/passwd', '/proc/self/ns/net', '/'];
    const fds = paths.map((path) => openSync(path, 'r'));
    sendRights(stream.fd, launcherFrame(request), fds);
    for (const fd of fds) closeSync(fd);
    await said(stream);
  },
  'more descriptors than anybody has room for': async (request) => {
    const stream = connected();
    const fds = Array.from({ length: 100 }, () => openSync('/proc/self/ns/net', 'r'));
    sendRights(stream.fd, launcherFrame(request), fds);
    for (const fd of fds) closeSync(fd);
    await said(stream);
  },
  'descriptors with every byte': async (request) => {
    const stream = connected();
    const frame = launcherFrame(request).subarray(0, 40);
    const fd = openSync('/proc/self/ns/net', 'r');
    for (const byte of frame) sendRights(stream.fd, Buffer.from([byte]), [fd]);
    closeSync(fd);
    stream.close();
  },
  garbage: async (_request, random) => {
    const stream = connected();
    const bytes = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 500) }, () => random() * 256));
    stream.send(bytes, () => CONNECT_MS);
    await said(stream, SENT_AWAY_MS);
  },
};
