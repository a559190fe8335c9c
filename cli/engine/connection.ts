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
import { errorText } from '../../lib/base/errors.ts';

/** Milliseconds. */
export interface Limits {
  /** For a client to send its request. */
  readonly request: number;
  /** For a client to take its answer. */
  readonly answer: number;
  /** Connections at a time. */
  readonly connections: number;
  /** Bytes of requests that have not come to their end. */
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
const FULL = 'too much is on its way to the engine';

/** Gathers one frame. */
class Reader {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The body of the frame when it is complete. Throws MalformedFrame. */
  add(chunk: Buffer): Buffer | undefined {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < HEADER_BYTES) return undefined;
    // The header may come in pieces; what follows is put together once.
    if ((this.#chunks[0]?.length ?? 0) < HEADER_BYTES)
      this.#chunks.splice(0, Infinity, Buffer.concat(this.#chunks));
    const whole = HEADER_BYTES + frameLength(this.#chunks[0] ?? Buffer.alloc(0));
    if (this.#length > whole) throw new MalformedFrame('more than one frame');
    return this.#length === whole ? Buffer.concat(this.#chunks).subarray(HEADER_BYTES) : undefined;
  }
}

/** Resolves with the request. Rejects with MalformedFrame, or with an Error that says why there is none. */
async function receive(socket: Socket, limits: Limits, budget: Budget): Promise<Decoded> {
  const reader = new Reader();
  const { promise, resolve, reject } = Promise.withResolvers<Decoded>();
  const timer = setTimeout(() => reject(new MalformedFrame(SLOW)), limits.request);
  const onData = (chunk: Buffer): void => {
    budget.held += chunk.length;
    try {
      const body = reader.add(chunk);
      if (body !== undefined) resolve(decodeRequest(body));
      else if (budget.held > limits.bytes) reject(new Error(FULL));
    } catch (error) {
      reject(error);
    }
  };
  const onEnd = (): void => reject(new MalformedFrame('the request ended before its time'));
  socket.on('data', onData).on('end', onEnd).on('close', onEnd);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    budget.held -= reader.length;
    socket.off('data', onData).off('end', onEnd).off('close', onEnd);
    // Whatever else it has to say is not read.
    socket.pause();
  }
}

/** Resolves when the client has it all, or will never have it. */
export async function reply(socket: Socket, answer: EngineAnswer, milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  socket.once('close', resolve);
  if (socket.closed || socket.destroyed) resolve();
  else socket.end(frameOf(answer));
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

/** Never rejects. */
export async function converse(
  socket: Socket,
  handle: (decoded: Decoded) => Promise<EngineAnswer>,
  limits: Limits,
  budget: Budget,
): Promise<void> {
  let answer: EngineAnswer;
  try {
    answer = await handle(await receive(socket, limits, budget));
  } catch (error) {
    const kind = error instanceof MalformedFrame ? 'malformed' : 'too-busy';
    answer = refusal(
      kind,
      errorText(error),
      kind === 'malformed' ? 'see lib/engine/protocol.ts' : 'try again',
    );
  }
  await reply(socket, answer, limits.answer);
}
