/** A TCP connection that goes on transferring: lines to a server that sends each back. */
import type { Background } from './harness-process.ts';
import type { Place } from './harness.ts';

/** Sends back whatever it is sent, until its connection ends. */
export async function echo(place: Place, port: number): Promise<Background> {
  const server = place.start(['socat', '-d', '-d', `TCP4-LISTEN:${port},fork,reuseaddr`, 'PIPE']);
  await server.until(() => server.errors.includes('listening on'), `echo on port ${port}`);
  return server;
}

export class Live {
  readonly #socat: Background;
  #read = 0;
  #sent = 0;
  #going: Promise<void> | undefined;
  #stopped = false;

  constructor(place: Place, address: string, port: number) {
    this.#socat = place.start(['socat', 'STDIO', `TCP4:${address}:${port}`]);
  }

  /** How many lines have come back. */
  get count(): number {
    return this.#sent;
  }

  /** One line, there and back. Throws when it does not come within the time. */
  async exchange(deadlineMs = 10_000): Promise<void> {
    const line = `line ${this.#sent}`;
    this.#socat.write(`${line}\n`);
    if (!(await this.#socat.line(this.#read, deadlineMs)))
      throw new Error(`${line} did not come back: ${this.#socat.errors}`);
    const end = this.#socat.output.indexOf('\n', this.#read);
    const back = this.#socat.output.slice(this.#read, end);
    if (back !== line) throw new Error(`"${back}" came back for "${line}"`);
    this.#read = end + 1;
    this.#sent += 1;
  }

  /** Exchanges lines until `rest`. */
  go(): void {
    this.#stopped = false;
    this.#going = this.#goOn();
    // Whoever rests is told.
    this.#going.catch(() => {});
  }

  async #goOn(): Promise<void> {
    while (!this.#stopped) await this.exchange();
  }

  /** Throws when the connection has failed since. */
  async rest(): Promise<void> {
    this.#stopped = true;
    await this.#going;
  }

  async close(): Promise<void> {
    await this.#socat.stop();
  }
}
