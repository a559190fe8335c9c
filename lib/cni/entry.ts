/**
 * The edge of a plugin's process: the one place that reads its environment and stdin, writes its stdout and ends it.
 * VERSION is answered before anything else is loaded.
 */
import { readSync, writeSync } from 'node:fs';
import { CURRENT_VERSION, versionAnswer } from './versions.ts';
import type { Answer } from './dispatch.ts';
import type { Plugin } from './plugin.ts';

/** One byte more than lib/cni/json.ts accepts: enough to know that the input is too long. */
const STDIN_BYTES = 1024 * 1024 + 1;

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The rest of a stdin that does not block (O_NONBLOCK set by whoever made it): read as a stream. */
async function readStream(before: readonly Buffer[]): Promise<Buffer> {
  const chunks = [...before];
  let length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= STDIN_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, STDIN_BYTES);
}

/** All of stdin, or its first STDIN_BYTES bytes. */
export function readStdin(): Buffer | Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let room = STDIN_BYTES; room > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(room, 64 * 1024));
    try {
      const read = readSync(STDIN, chunk, 0, chunk.length, null);
      if (read === 0) break;
      chunks.push(chunk.subarray(0, read));
      room -= read;
    } catch (error) {
      if (hasCode(error, 'EAGAIN')) return readStream(chunks);
      if (hasCode(error, 'EOF')) break;
      throw error;
    }
  }
  return Buffer.concat(chunks);
}

async function writeStream(stream: NodeJS.WriteStream, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    stream.on('error', () => resolve(false));
    stream.write(bytes, (error) => resolve(!error));
  });
}

/** Writes all of it; false when nobody reads the other end any more. */
async function write(fd: number, text: string): Promise<boolean> {
  let bytes: Buffer = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      if (hasCode(error, 'EAGAIN'))
        return writeStream(fd === STDOUT ? process.stdout : process.stderr, bytes);
      return false;
    }
  }
  return true;
}

/** Prints an answer and ends the process; a result that could not be delivered is a failure. */
export async function finish({ exitCode, stdout, stderr }: Answer): Promise<never> {
  await write(STDERR, stderr);
  const delivered = await write(STDOUT, stdout);
  process.exit(delivered ? exitCode : exitCode || 1);
}

/** The answer of the plugin that `load` imports; an error too when it cannot be loaded. */
async function answerOf(load: () => Promise<Plugin>): Promise<Answer> {
  try {
    const plugin = await load();
    const { dispatch } = await import('./dispatch.ts');
    const { realWorld } = await import('./real-world.ts');
    return await dispatch(plugin, { environment: process.env, readStdin }, realWorld());
  } catch (error) {
    const { errorAnswer } = await import('./errors.ts');
    const stdout = `${JSON.stringify(errorAnswer(error, CURRENT_VERSION), undefined, 4)}\n`;
    return { exitCode: 1, stdout, stderr: '' };
  }
}

/** Runs this process as the plugin that `load` imports. */
export async function runPlugin(load: () => Promise<Plugin>): Promise<never> {
  if (process.env['CNI_COMMAND'] === 'VERSION')
    return finish({ exitCode: 0, stdout: versionAnswer(), stderr: '' });
  return finish(await answerOf(load));
}
