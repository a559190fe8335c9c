/** Asking the engine from a process that has nothing else to do: synchronous, with a deadline. */
import { lstatSync } from 'node:fs';
import { isErrno } from '../base/errors.ts';
import { UnixStream } from '../system/unix-stream.ts';
import { EngineError } from './errors.ts';
import {
  ENGINE_SOCKET,
  HEADER_BYTES,
  decodeAnswer,
  encodeFrame,
  frameLength,
  MalformedFrame,
} from './protocol.ts';
import type { EngineAnswer, EngineRequest, Refusal } from './protocol.ts';

export type Answered = Exclude<EngineAnswer, { refused: Refusal }>;

const TRY_AGAIN = 'try again; "netmoor engine status" says what it does';
const ABSENT = 'start it: systemctl start netmoor-engine.socket, or netmoor engine';

function hostile(path: string, what: string): EngineError {
  return new EngineError(
    'hostile',
    `${path} is not the engine's socket: ${what}`,
    'see who put it there, and remove it',
  );
}

/**
 * Throws EngineError 'hostile' unless it is a socket that nobody but us could have put there; 'absent' when there is
 * none.
 */
export function inspectSocket(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new EngineError('absent', `there is no engine at ${path}`, ABSENT);
  if (stat.isSymbolicLink()) throw hostile(path, 'it is a symbolic link');
  if (!stat.isSocket()) throw hostile(path, 'it is no socket');
  if (stat.uid !== process.geteuid?.()) throw hostile(path, `it belongs to user ${stat.uid}`);
}

/** Throws EngineError 'absent', 'hostile' or 'late'. */
export function connectEngine(path: string, left: () => number): UnixStream {
  inspectSocket(path);
  let stream: UnixStream;
  try {
    stream = UnixStream.connect(path, left);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ECONNREFUSED'))
      throw new EngineError('absent', `there is no engine at ${path}`, ABSENT, { cause });
    if (isErrno(cause, 'EAGAIN'))
      throw new EngineError('late', 'the engine takes no more requests', TRY_AGAIN, { cause });
    throw cause;
  }
  const { uid } = stream.peer;
  if (uid === process.geteuid?.()) return stream;
  stream.close();
  throw hostile(path, `user ${uid} listens there`);
}

function fill(stream: UnixStream, length: number, left: () => number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  const outcome = stream.fill(buffer, left);
  if (outcome === 'full') return buffer;
  if (outcome === 'late')
    throw new EngineError(
      'late',
      'the engine did not answer in time',
      `it may still be at work: ${TRY_AGAIN}`,
    );
  throw new EngineError(
    'lost',
    'the engine ended before it answered',
    `what it did is not known: ${TRY_AGAIN}`,
  );
}

function converse(stream: UnixStream, frame: Buffer, left: () => number): EngineAnswer {
  try {
    sendAll(stream, frame, left);
    return decodeAnswer(fill(stream, frameLength(fill(stream, HEADER_BYTES, left)), left));
  } catch (cause) {
    if (cause instanceof MalformedFrame)
      throw new EngineError('lost', `the engine answered what makes no sense: ${cause.message}`, TRY_AGAIN, {
        cause,
      });
    if (!isErrno(cause, 'ECONNRESET', 'EPIPE')) throw cause;
    const words = 'the engine ended before it answered';
    throw new EngineError('lost', words, `what it did is not known: ${TRY_AGAIN}`, { cause });
  }
}

/** Whoever refuses a request need not have read it to its end; its answer is there all the same. */
function sendAll(stream: UnixStream, frame: Buffer, left: () => number): void {
  try {
    if (stream.send(frame, left)) return;
  } catch (error) {
    if (isErrno(error, 'EPIPE', 'ECONNRESET')) return;
    throw error;
  }
  throw new EngineError('late', 'the engine did not take the request in time', TRY_AGAIN);
}

/**
 * Asks, and waits for the answer `deadline` milliseconds at most. Throws EngineError; only one that is 'absent' or
 * 'refused' says that nothing was done.
 */
export function askEngine(request: EngineRequest, deadline: number, path: string = ENGINE_SOCKET): Answered {
  const end = performance.now() + deadline;
  const left = (): number => end - performance.now();
  const frame = frameOf(request);
  const stream = connectEngine(path, left);
  try {
    const answer = converse(stream, frame, left);
    if (!('refused' in answer)) return answer;
    const { refused } = answer;
    throw new EngineError('refused', refused.message, refused.details, { refusal: refused });
  } finally {
    stream.close();
  }
}

function frameOf(request: EngineRequest): Buffer {
  try {
    return encodeFrame(request);
  } catch (cause) {
    if (!(cause instanceof MalformedFrame)) throw cause;
    const refused: Refusal = { kind: 'malformed', message: cause.message, details: 'ask for less' };
    throw new EngineError('refused', refused.message, refused.details, { cause, refusal: refused });
  }
}
