/**
 * Many clients of the engine in one process: reads calls as JSON from stdin, sends them all at once, and prints the
 * answers in the same order; `null` where the connection ended without one.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ENGINE_SOCKET, HEADER_BYTES, decodeAnswer, encodeFrame } from '../../lib/engine/protocol.ts';
import type { EngineAnswer } from '../../lib/engine/protocol.ts';
import { pluginRequest } from '../../lib/engine/request.ts';

export interface DriverCall {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly config: unknown;
  readonly deadline?: number;
  /** Members of the request that are to be otherwise. */
  readonly other?: object;
}

async function ask({
  program,
  environment,
  config,
  deadline = 60_000,
  other,
}: DriverCall): Promise<EngineAnswer | null> {
  const stdin = Buffer.from(JSON.stringify(config));
  const request = { ...pluginRequest({ program, environment, stdin, deadline }), ...other };
  const socket = connect(ENGINE_SOCKET);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.end(encodeFrame(request));
  return new Promise((resolve) => {
    socket.on('error', () => resolve(null));
    socket.on('close', () => {
      const body = Buffer.concat(chunks).subarray(HEADER_BYTES);
      resolve(body.length === 0 ? null : decodeAnswer(body));
    });
  });
}

const calls: readonly DriverCall[] = JSON.parse(readFileSync(0, 'utf8'));
const began = performance.now();
const answers = await Promise.all(calls.map(ask));
process.stdout.write(JSON.stringify({ milliseconds: performance.now() - began, answers }));
