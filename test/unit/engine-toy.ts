/** An engine in the test's own process, with a toy plugin in its threads, and clients that do not block it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';
import { Engine } from '../../cli/engine/engine.ts';
import type { EngineOptions } from '../../cli/engine/engine.ts';
import { placesIn } from '../../lib/engine/places.ts';
import { HEADER_BYTES, decodeAnswer, encodeFrame } from '../../lib/engine/protocol.ts';
import type { EngineAnswer, EngineRequest, PluginRequest } from '../../lib/engine/protocol.ts';
import { pluginRequest } from '../../lib/engine/request.ts';
import { launcherFrame } from '../kernel/launcher-request.ts';

/** A directory whose path leaves room for a socket's name (unix(7): 107 bytes). */
export function shortDirectory(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'engine-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const TOY_WORKER = new URL('engine-toy-worker.ts', import.meta.url);

export function toyWorker(): Worker {
  const worker = new Worker(TOY_WORKER, { env: {}, stdout: true, stderr: true, trackUnmanagedFds: false });
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}

export interface ToyEngine {
  readonly engine: Engine;
  readonly socket: string;
  /** The engine's log. */
  readonly lines: readonly string[];
}

/** `dir` is made 0700. */
export async function toyEngine(dir: string, options: Partial<EngineOptions> = {}): Promise<ToyEngine> {
  const places = placesIn(join(dir, 'engine'));
  const lines: string[] = [];
  const engine = await Engine.start({
    places,
    startedBy: 'command',
    residents: [],
    log: (_, line) => lines.push(line),
    startWorker: toyWorker,
    laneOf: (program) => (program === 'toy' ? 'main' : undefined),
    ...options,
  });
  if (engine === undefined) throw new Error('there is an engine already');
  return { engine, socket: places.socket, lines };
}

/** Everything the engine says until it closes. */
export async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks);
}

/** What the engine answers to bytes, whatever they are. */
export async function saidTo(path: string, bytes: Uint8Array): Promise<Buffer> {
  const socket = connect(path);
  socket.write(bytes);
  return everything(socket);
}

/** Undefined when the connection ended without an answer. */
export async function answerTo(path: string, bytes: Uint8Array): Promise<EngineAnswer | undefined> {
  const socket = connect(path);
  socket.end(bytes);
  const said = await everything(socket);
  return said.length === 0 ? undefined : decodeAnswer(said.subarray(HEADER_BYTES));
}

export async function ask(path: string, request: EngineRequest): Promise<EngineAnswer | undefined> {
  return answerTo(path, encodeFrame(request));
}

/** A call of the toy. */
export function toyCall(
  command: string,
  container: string,
  told: object = {},
  deadline = 30_000,
): PluginRequest {
  const config = { cniVersion: '1.0.0', name: 'toys', type: 'toy', told };
  return pluginRequest({
    program: 'toy',
    environment: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_IFNAME: 'eth0',
      CNI_NETNS: '/nowhere/netns',
      CNI_PATH: '/nowhere/bin',
    },
    stdin: Buffer.from(JSON.stringify(config)),
    deadline,
  });
}

/** The same in the launcher's form. */
export function toyLaunch(command: string, container: string, told: object = {}): Buffer {
  const { program, environment, stdin } = toyCall(command, container, told);
  return launcherFrame({ program, environment, stdin: Buffer.from(stdin, 'base64').toString() });
}
