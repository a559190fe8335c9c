/**
 * JSON from outside: bounded in size and depth before anything is built on it. As for the reference plugins (Go), a
 * member whose value is null is an absent one, and of members with the same name the last counts. "__proto__" is
 * refused: copied by assignment it would change what an object inherits.
 */
import { isUtf8 } from 'node:buffer';
import { NetmoorError, errorText } from '../base/errors.ts';
import { quote } from './quote.ts';

/** Larger than any configuration with its prevResult and port mappings; bounds the time a refusal takes. */
export const JSON_BYTES = 1024 * 1024;
const JSON_DEPTH = 64;

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(what: string, problem: string, advice: string, cause?: unknown): never {
  throw new NetmoorError('bad-json', `${what} ${problem}`, advice, { cause });
}

function withoutNulls(value: Json, what: string, depth: number): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === JSON_DEPTH)
    refuse(what, `is nested deeper than ${JSON_DEPTH} levels`, 'no configuration needs that');
  if (Array.isArray(value)) return value.map((item: Json) => withoutNulls(item, what, depth + 1));
  const members: [string, Json][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') refuse(what, 'has a key "__proto__"', 'rename that key');
    if (member !== null) members.push([key, withoutNulls(member, what, depth + 1)]);
  }
  return Object.fromEntries(members);
}

/** `what` names the document in messages. Throws NetmoorError('bad-json'). */
export function parseJson(bytes: Buffer, what: string): Json {
  if (bytes.length > JSON_BYTES)
    refuse(what, `is larger than ${JSON_BYTES} bytes`, 'no configuration needs that much');
  if (!isUtf8(bytes)) refuse(what, 'is not UTF-8 text', 'JSON is written in UTF-8 (RFC 8259)');
  const text = bytes.toString();
  if (text.startsWith('\uFEFF'))
    refuse(what, 'begins with a byte order mark (U+FEFF)', 'save it as UTF-8 without one (RFC 8259, 8.1)');
  if (text.trim() === '') refuse(what, 'is empty', 'it must be a JSON object');
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(what, `is not JSON: ${errorText(error)}`, 'it may be truncated', error);
  }
  return withoutNulls(value, what, 0);
}

/** The same for a document that must be an object. */
export function parseJsonObject(bytes: Buffer, what: string): JsonObject {
  const value = parseJson(bytes, what);
  return isJsonObject(value)
    ? value
    : refuse(what, `must be a JSON object, not ${quote(value)}`, 'put it in braces');
}
