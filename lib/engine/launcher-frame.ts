/**
 * How the launcher (lib/launcher/launcher.c) asks, in a form that C writes and reads in a few lines. A request is
 * MAGIC, four bytes (big-endian: how many follow), and texts that each end with a zero byte: the version, the name of
 * the program, the network, mount, pid and user namespace ("device:inode"), the path of the one-shot executable, the
 * number of arguments and the arguments, the number of variables and the environment; what is left is stdin. The
 * container's namespace comes with it as a descriptor (SCM_RIGHTS).
 *
 * The engine says TAKEN when it is going to do it, else REFUSED. The answer after TAKEN is a byte (the exit status),
 * the lengths of stdout and of stderr (four bytes each), and these two. Whoever gets less does the work himself.
 */
import { FRAME_BYTES, MalformedFrame } from './protocol.ts';

export const MAGIC = 'NML1';
export const TAKEN = 'T';
export const REFUSED = 'R';

/** Milliseconds for the engine to take a request: its main loop waits for nothing. */
export const TAKE_MS = 2_000;
/** Milliseconds for the answer: the engine gives up long before. */
export const ANSWER_MS = 300_000;

/** The number of bytes before the body. */
export const LAUNCHER_HEADER_BYTES = MAGIC.length + 4;

export interface LauncherRequest {
  readonly version: string;
  readonly program: string;
  readonly netns: string;
  readonly mntns: string;
  readonly pidns: string;
  readonly userns: string;
  /** What would do the work if the engine did not. */
  readonly executable: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: Buffer;
}

export function isLauncherFrame(start: Uint8Array): boolean {
  return start.length >= 1 && start[0] === MAGIC.charCodeAt(0);
}

/** The number of bytes that a header announces. Throws MalformedFrame. */
export function launcherFrameLength(header: Buffer): number {
  const length = header.readUInt32BE(MAGIC.length);
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC || length > FRAME_BYTES)
    throw new MalformedFrame('no frame of a launcher');
  return length;
}

class Texts {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  next(): string {
    const end = this.#body.indexOf(0, this.#at);
    if (end < 0) throw new MalformedFrame('the request of the launcher ends within a text');
    const text = this.#body.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  list(): string[] {
    const count = this.next();
    // Each has its zero byte at least.
    if (!/^[0-9]{1,7}$/.test(count) || Number(count) > this.#body.length - this.#at)
      throw new MalformedFrame(`no number of texts: ${JSON.stringify(count.slice(0, 20))}`);
    return Array.from({ length: Number(count) }, () => this.next());
  }

  get rest(): Buffer {
    return this.#body.subarray(this.#at);
  }
}

/** Of a variable that is set twice the first counts, as for getenv(3). */
function environmentOf(list: readonly string[]): Record<string, string> {
  const entries = list.flatMap((text): [string, string][] => {
    const equals = text.indexOf('=');
    return equals < 0 ? [] : [[text.slice(0, equals), text.slice(equals + 1)]];
  });
  return Object.fromEntries(entries.reverse());
}

/** Throws MalformedFrame. */
export function decodeLauncherRequest(body: Buffer): LauncherRequest {
  const texts = new Texts(body);
  const version = texts.next();
  const program = texts.next();
  const [netns, mntns, pidns, userns] = [texts.next(), texts.next(), texts.next(), texts.next()];
  const executable = texts.next();
  const args = texts.list();
  const environment = environmentOf(texts.list());
  return { version, program, netns, mntns, pidns, userns, executable, args, environment, stdin: texts.rest };
}

export interface LauncherAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What follows TAKEN. */
export function encodeLauncherAnswer({ exitCode, stdout, stderr }: LauncherAnswer): Buffer {
  const head = Buffer.alloc(9);
  const [out, err] = [Buffer.from(stdout), Buffer.from(stderr)];
  head.writeUInt8(exitCode & 0xff, 0);
  head.writeUInt32BE(out.length, 1);
  head.writeUInt32BE(err.length, 5);
  return Buffer.concat([head, out, err]);
}
