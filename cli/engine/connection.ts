/** One client: its request is read, answered, and the connection closed; none of it may take for ever. */
import type { Socket } from 'node:net';
import {
  HEADER_BYTES,
  MalformedFrame,
  decodeRequest,
  encodeFrame,
  frameLength,
  refusal,
} from '../../lib/engine/protocol.ts';
import type { Decoded, EngineAnswer } from '../../lib/engine/protocol.ts';
import {
  LAUNCHER_HEADER_BYTES,
  REFUSED,
  TAKEN,
  decodeLauncherRequest,
  encodeLauncherAnswer,
  isLauncherFrame,
  launcherFrameLength,
} from '../../lib/engine/launcher-frame.ts';
import type { LauncherRequest } from '../../lib/engine/launcher-frame.ts';
import { closeSync } from 'node:fs';
import { errorText } from '../../lib/base/errors.ts';
import { isHungUp } from '../../lib/system/syscall.ts';
import { sendNow } from '../../lib/system/unix-stream.ts';
import { ANYBODY, handed } from './call.ts';
import type { Caller, Handed } from './call.ts';
import type { Received } from '../../lib/system/rights.ts';

/** Milliseconds. */
export interface Limits {
  /** For a client to send its request. */
  readonly request: number;
  /** For a client to take its answer. */
  readonly answer: number;
  /** Connections at a time. */
  readonly connections: number;
  /** Bytes of requests that have not been answered. What comes in one piece is taken all the same. */
  readonly bytes: number;
}

export const LIMITS: Limits = {
  request: 5_000,
  answer: 5_000,
  connections: 1_024,
  bytes: 64 * 1024 * 1024,
};

/** Bytes that all connections together hold. */
export interface Budget {
  held: number;
}

const SLOW = 'the request did not come in time';
const ENDED = 'the request ended before its time';
const FULL = 'too much is on its way to the engine';

/** A request in one of its two forms; with a launcher's comes the container's namespace. */
export type Asked = Decoded | { readonly launched: LauncherRequest; readonly netns: Handed | undefined };

/** Undefined: whoever asked has gone, or has to do it himself. */
export type Handle = (asked: Asked, caller: Caller) => Promise<EngineAnswer | undefined>;

interface Frame {
  readonly launcher: boolean;
  readonly body: Buffer;
}

/** Gathers one frame. */
class Reader {
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #launcher = false;

  get length(): number {
    return this.#length;
  }

  get launcher(): boolean {
    return this.#launcher;
  }

  /** The frame when it is complete. Throws MalformedFrame. */
  add(chunk: Buffer): Frame | undefined {
    if (this.#length === 0) this.#launcher = isLauncherFrame(chunk);
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const launcher = this.#launcher;
    const header = launcher ? LAUNCHER_HEADER_BYTES : HEADER_BYTES;
    if (this.#length < header) return undefined;
    // The header may come in pieces; what follows is put together once.
    if ((this.#chunks[0]?.length ?? 0) < header)
      this.#chunks.splice(0, Infinity, Buffer.concat(this.#chunks));
    const start = this.#chunks[0] ?? Buffer.alloc(0);
    const whole = header + (launcher ? launcherFrameLength(start) : frameLength(start));
    if (this.#length > whole) throw new MalformedFrame('more than one frame');
    if (this.#length < whole) return undefined;
    // It is as long under way as its answer is: once in memory is enough.
    return { launcher, body: Buffer.concat(this.#chunks.splice(0)).subarray(header) };
  }
}

function decoded({ launcher, body }: Frame, netns: Handed | undefined): Asked {
  return launcher ? { launched: decodeLauncherRequest(body), netns } : decodeRequest(body);
}

/** What is under way: the bytes of one connection, and those of all. */
interface Underway {
  readonly reader: Reader;
  readonly budget: Budget;
}

/** The frame when this completes it. Throws MalformedFrame, or an Error when there is too much of everybody's. */
function add(chunk: Buffer, { reader, budget }: Underway, { bytes }: Limits): Frame | undefined {
  budget.held += chunk.length;
  const frame = reader.add(chunk);
  if (frame === undefined && budget.held > bytes) throw new Error(FULL);
  return frame;
}

/**
 * Resolves with all of it, mostly at once: it comes in one piece. Rejects with MalformedFrame, or with an Error that
 * says why there is none.
 */
async function receive(socket: Socket, first: Buffer, underway: Underway, limits: Limits): Promise<Frame> {
  if (first.length === 0) throw new MalformedFrame(ENDED);
  return add(first, underway, limits) ?? receiveRest(socket, underway, limits);
}

async function receiveRest(socket: Socket, underway: Underway, limits: Limits): Promise<Frame> {
  const { promise, resolve, reject } = Promise.withResolvers<Frame>();
  const timer = setTimeout(() => reject(new MalformedFrame(SLOW)), limits.request);
  const onData = (chunk: Buffer): void => {
    try {
      const frame = add(chunk, underway, limits);
      if (frame !== undefined) resolve(frame);
    } catch (error) {
      reject(error);
    }
  };
  const onEnd = (): void => reject(new MalformedFrame(ENDED));
  socket.on('data', onData).on('end', onEnd).on('close', onEnd);
  socket.resume();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
    // Whatever else it has to say is not read.
    socket.pause();
  }
}

/** Resolves when the client has it all, or will never have it. */
async function send(socket: Socket, bytes: Uint8Array, milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  socket.once('close', resolve);
  if (socket.closed || socket.destroyed) resolve();
  else socket.end(bytes);
  // A client that is refused before it has sent all would lose the answer if its rest were not taken.
  socket.resume();
  await promise;
  clearTimeout(timer);
}

function frameOf(answer: EngineAnswer): Buffer {
  try {
    return encodeFrame(answer);
  } catch (error) {
    return encodeFrame(refusal('malformed', `the answer cannot be sent: ${errorText(error)}`, ''));
  }
}

export async function reply(socket: Socket, answer: EngineAnswer, milliseconds: number): Promise<void> {
  return send(socket, frameOf(answer), milliseconds);
}

/** Node offers no public way to the descriptor of a socket; undefined where this one leads nowhere. */
export function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/** Whether a launcher still waits: it closes nothing before it ends. */
function isThere(socket: Socket): boolean {
  const fd = socket.destroyed ? undefined : descriptorOf(socket);
  return fd !== undefined && !isHungUp(fd, 'look at a client');
}

/** How many bytes of it were taken, without the detour by Node's streams; undefined when nobody is there any more. */
function written(socket: Socket, bytes: Uint8Array): number | undefined {
  const fd = socket.destroyed ? undefined : descriptorOf(socket);
  if (fd === undefined) return undefined;
  try {
    return sendNow(fd, bytes, 'answer a client');
  } catch {
    return undefined;
  }
}

/** As send(), for one who has said all that he has to say: mostly there is room for it at once. */
async function sendLast(socket: Socket, bytes: Uint8Array, milliseconds: number): Promise<void> {
  const count = written(socket, bytes);
  if (count === undefined || count === bytes.length) socket.destroy();
  else await send(socket, bytes.subarray(count), milliseconds);
}

/** A launcher that gets no answer does the work itself. */
async function answerLauncher(
  socket: Socket,
  asked: Asked,
  handle: Handle,
  { answer: limit }: Limits,
): Promise<void> {
  let taken = false;
  const take = async (): Promise<boolean> => {
    taken = written(socket, Buffer.from(TAKEN)) === TAKEN.length;
    return taken;
  };
  const answer = await handle(asked, { take, waits: () => isThere(socket) });
  const done = taken && answer !== undefined && 'exitCode' in answer;
  await sendLast(socket, done ? encodeLauncherAnswer(answer) : Buffer.from(REFUSED), limit);
}

/** The first descriptor is the namespace; more than that nobody sends. */
function namespaceIn({ descriptors }: Received): Handed | undefined {
  const [first, ...others] = descriptors;
  for (const each of others) closeSync(each);
  return first === undefined ? undefined : handed(first);
}

/** Never rejects. `first`: what has been read of it already; undefined when nothing came in time. */
export async function converse(
  socket: Socket,
  first: Received | undefined,
  handle: Handle,
  limits: Limits,
  budget: Budget,
): Promise<void> {
  const reader = new Reader();
  try {
    await answerNext(socket, first, handle, limits, { reader, budget });
  } finally {
    budget.held -= reader.length;
  }
}

async function answerNext(
  socket: Socket,
  first: Received | undefined,
  handle: Handle,
  limits: Limits,
  underway: Underway,
): Promise<void> {
  const netns = first && namespaceIn(first);
  let answer: EngineAnswer;
  try {
    if (first === undefined) throw new MalformedFrame(SLOW);
    const asked = decoded(await receive(socket, first.data, underway, limits), netns);
    if ('launched' in asked) return await answerLauncher(socket, asked, handle, limits);
    netns?.release();
    answer = (await handle(asked, ANYBODY)) ?? refusal('stopping', 'nothing was done', 'try again');
  } catch (error) {
    netns?.release();
    if (underway.reader.launcher) return send(socket, Buffer.from(REFUSED), limits.answer);
    const kind = error instanceof MalformedFrame ? 'malformed' : 'too-busy';
    answer = refusal(
      kind,
      errorText(error),
      kind === 'malformed' ? 'see lib/engine/protocol.ts' : 'try again',
    );
  }
  await reply(socket, answer, limits.answer);
}
