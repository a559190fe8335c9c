/**
 * How one asks the engine, over a stream socket of the file system: one request and one answer a connection, each a
 * frame of four bytes (big-endian: how many follow) and that many bytes of JSON in UTF-8
 * (schemas/engine-request.schema.json, schemas/engine-answer.schema.json).
 */
import { validate as validAnswer } from '../../schemas/compiled/engine-answer.js';
import type { EngineAnswer, Refusal } from '../../schemas/compiled/engine-answer.js';
import { validate as validRequest } from '../../schemas/compiled/engine-request.js';
import type { EngineRequest } from '../../schemas/compiled/engine-request.js';

export type { EngineAnswer, PluginAnswer, Refusal } from '../../schemas/compiled/engine-answer.js';
export type { EngineRequest, OrderRequest, PluginRequest } from '../../schemas/compiled/engine-request.js';

export const PROTOCOL = 1;

/** Readable for root alone. */
export const ENGINE_DIRECTORY = '/run/netmoor';
export const ENGINE_SOCKET = `${ENGINE_DIRECTORY}/engine.sock`;

/** Of the JSON in a frame. A plugin's stdin has one MiB at most, four thirds of that in base64. */
export const FRAME_BYTES = 2 * 1024 * 1024;
export const HEADER_BYTES = 4;

/** Not what the protocol says; `message` tells what is wrong. */
export class MalformedFrame extends Error {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = 'MalformedFrame';
  }
}

/** Throws MalformedFrame for a value that is too large. */
export function encodeFrame(value: EngineRequest | EngineAnswer): Buffer {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  if (length > FRAME_BYTES) throw new MalformedFrame(`${length} bytes are too many for a frame`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, HEADER_BYTES);
  return frame;
}

/** The number of bytes that a header announces. Throws MalformedFrame when they are too many, or none. */
export function frameLength(header: Uint8Array): number {
  const length = Buffer.from(header.buffer, header.byteOffset, HEADER_BYTES).readUInt32BE(0);
  if (length === 0 || length > FRAME_BYTES)
    throw new MalformedFrame(`a frame of ${length} bytes: it must have 1 to ${FRAME_BYTES}`);
  return length;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new MalformedFrame('no JSON in UTF-8', { cause: error });
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

/** Whether a request that cannot be read is one of another version of netmoor, whose requests may look otherwise. */
export type Decoded = { readonly request: EngineRequest } | { readonly otherProtocol: unknown };

/** Throws MalformedFrame. */
export function decodeRequest(body: Uint8Array): Decoded {
  const value = parse(body);
  const protocol = memberOf(value, 'protocol');
  if (typeof protocol === 'number' && protocol !== PROTOCOL) return { otherProtocol: protocol };
  if (validRequest(value)) return { request: value };
  throw new MalformedFrame(`no request: ${problemsOf(validRequest)}`);
}

/** Throws MalformedFrame. */
export function decodeAnswer(body: Uint8Array): EngineAnswer {
  const value = parse(body);
  if (validAnswer(value)) return value;
  throw new MalformedFrame(`no answer: ${problemsOf(validAnswer)}`);
}

function problemsOf({
  errors,
}: {
  errors?: readonly { instancePath: string; message?: string }[] | null;
}): string {
  const problems = (errors ?? []).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  return [...new Set(problems)].slice(0, 3).join('; ');
}

export function refusal(kind: Refusal['kind'], message: string, details: string): { refused: Refusal } {
  return { refused: { kind, message, details } };
}
