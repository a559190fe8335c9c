/** The engine's socket: who connects is looked at, read, answered, and sent away; nobody keeps the others waiting. */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { once } from 'node:events';
import { refusal } from '../../lib/engine/protocol.ts';
import type { Reactor } from '../../lib/system/reactor.ts';
import type { Caller } from './call.ts';
import { clientOf } from './client.ts';
import type { Client } from './client.ts';
import { LIMITS, converse, descriptorOf, reply } from './connection.ts';
import type { Asked, Budget, Handle, Limits } from './connection.ts';
import { firstBytes } from './first-bytes.ts';

export interface ServerOptions {
  readonly handle: (asked: Asked, caller: Caller, client: Client) => ReturnType<Handle>;
  readonly reactor: Reactor;
  /** A connection that was not answered, and why. */
  readonly turnedAway: (why: string) => void;
  readonly limits?: Limits;
}

/** Undefined when that cannot be known. */
function clientAt(fd: number | undefined): Client | undefined {
  try {
    return fd === undefined ? undefined : clientOf(fd);
  } catch {
    return undefined;
  }
}

const NOT_ROOT = refusal('not-root', 'the engine works for root alone', 'run as root');
const FULL = refusal('too-busy', 'the engine has too many clients', 'try again');

export class EngineServer {
  readonly #server: Server;
  readonly #options: ServerOptions;
  readonly #limits: Limits;
  readonly #budget: Budget = { held: 0 };
  readonly #conversations = new Set<Promise<void>>();

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket),
    );
  }

  /** `fd`: a listening socket, which becomes the server's. Rejects with Node's errors. */
  static async listen(fd: number, options: ServerOptions): Promise<EngineServer> {
    const it = new EngineServer(options);
    const failed = once(it.#server, 'error').then(([error]) => Promise.reject(error));
    const listening = once(it.#server, 'listening');
    it.#server.listen({ fd });
    await Promise.race([listening, failed]);
    failed.catch(() => {});
    it.#server.on('error', (error) => options.turnedAway(error.message));
    return it;
  }

  get connections(): number {
    return this.#conversations.size;
  }

  #accept(socket: Socket): void {
    // Whatever befalls a connection ends it; nobody else needs to know.
    socket.on('error', () => socket.destroy());
    const conversation = this.#talk(socket).finally(() => this.#conversations.delete(conversation));
    this.#conversations.add(conversation);
  }

  async #talk(socket: Socket): Promise<void> {
    const { handle, turnedAway, reactor } = this.#options;
    const fd = descriptorOf(socket);
    const client = clientAt(fd);
    const refused =
      client?.uid !== process.geteuid?.()
        ? NOT_ROOT
        : this.#conversations.size >= this.#limits.connections
          ? FULL
          : undefined;
    if (refused === undefined && fd !== undefined && client !== undefined) {
      const patience = { limit: this.#limits.request, alone: this.#conversations.size === 0 };
      // Whoever has closed it has asked for nothing.
      const first = await firstBytes(fd, reactor, patience).catch(() => undefined);
      const from: Handle = async (asked, caller) => handle(asked, caller, client);
      return converse(socket, first, from, this.#limits, this.#budget);
    }
    turnedAway(refused === FULL ? 'too many clients' : `a client of user ${client?.uid ?? 'unknown'}`);
    await reply(socket, refused ?? NOT_ROOT, this.#limits.answer);
  }

  /** Takes no more connections; resolves when those that there are have ended, or after some milliseconds. */
  async close(milliseconds: number): Promise<void> {
    this.#server.close();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    void Promise.allSettled(this.#conversations).then(() => resolve());
    await promise;
    clearTimeout(timer);
  }
}
