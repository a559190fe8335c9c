/**
 * One engine for one socket, whatever happens to whom at which moment. Two locks say so, which the kernel drops with
 * their holder: `life` is held by the engine as long as it lives, `turn` by one that is about to begin, until it
 * listens. So whoever has the turn and finds a life taken knows that its holder listens, or is about to end.
 */
import { lstatSync, rmSync } from 'node:fs';
import { connectEngine, inspectSocket } from '../../lib/engine/client.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import { secureDirectory } from '../../lib/engine/places.ts';
import type { EnginePlaces } from '../../lib/engine/places.ts';
import { FileLock } from '../../lib/system/lock.ts';
import { listenStream } from '../../lib/system/unix-stream.ts';

const BACKLOG = 1_024;

/** Milliseconds. */
const CONNECT = 1_000;

function absentOrThrow(error: unknown): false {
  if (error instanceof EngineError && error.trouble === 'absent') return false;
  throw error;
}

function listens(socket: string): boolean {
  const end = performance.now() + CONNECT;
  try {
    connectEngine(socket, () => end - performance.now()).close();
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.trouble === 'late') return true;
    return absentOrThrow(error);
  }
}

/** Removes what a killed engine left. Throws EngineError 'hostile' for anything else. */
function clearSocket(socket: string): void {
  try {
    inspectSocket(socket);
  } catch (error) {
    return void absentOrThrow(error);
  }
  if (listens(socket))
    throw new EngineError(
      'hostile',
      `somebody else listens at ${socket}`,
      'systemd does, while netmoor-engine.socket is active: it starts the engine when it is needed',
    );
  rmSync(socket, { force: true });
}

function identityOf(socket: string): string {
  const stat = lstatSync(socket, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}

/** The right to be the engine. */
export class Seat {
  readonly #places: EnginePlaces;
  readonly #life: FileLock;
  readonly #turn: FileLock;
  #own: string | undefined;

  private constructor(places: EnginePlaces, life: FileLock, turn: FileLock) {
    this.#places = places;
    this.#life = life;
    this.#turn = turn;
  }

  /**
   * Blocks while others begin or end. Undefined when there is an engine already. `activated`: the socket is systemd's,
   * so an engine that has another one serves nobody any more. Throws EngineError 'hostile'.
   */
  static take(places: EnginePlaces, activated: boolean): Seat | undefined {
    secureDirectory(places);
    const turn = FileLock.wait(places.turn);
    let life: FileLock | undefined;
    try {
      life = FileLock.tryAcquire(places.life);
      if (life === undefined && !activated && listens(places.socket)) {
        turn.release();
        return undefined;
      }
      life ??= FileLock.wait(places.life);
      return new Seat(places, life, turn);
    } catch (error) {
      life?.release();
      turn.release();
      throw error;
    }
  }

  /** A listening socket. Throws EngineError 'hostile', SystemError. */
  listen(): number {
    const { socket } = this.#places;
    clearSocket(socket);
    const umask = process.umask(0o177);
    try {
      const fd = listenStream(socket, BACKLOG);
      this.#own = identityOf(socket);
      return fd;
    } finally {
      process.umask(umask);
    }
  }

  /** It listens: others may look. */
  begun(): void {
    this.#turn.release();
  }

  /** Whether clients still find its socket; always true of systemd's, which is not ours to look after. */
  get found(): boolean {
    return this.#own === undefined || identityOf(this.#places.socket) === this.#own;
  }

  /** Takes the socket away, unless it is another's by now. What was waiting there is told by the kernel. */
  vacate(): void {
    if (this.#own !== undefined && this.found) rmSync(this.#places.socket, { force: true });
  }

  /** Lets the next one begin. */
  leave(): void {
    this.#life.release();
  }
}
