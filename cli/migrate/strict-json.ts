/**
 * JSON that is to be written again. What reads it may pick the first or the last of two members of one name, and
 * numbers beyond 2^53 would come out as others: both are refused, not guessed at.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseJsonObject } from '../../lib/cni/json.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';

/** Strings, numbers and the signs that open and close; of JSON that is known to be well formed. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\],:]/g;

interface Level {
  /** Of an object: the names it has so far; undefined for a list. */
  readonly names: Set<string> | undefined;
  /** A string that comes next is a name. */
  expectsName: boolean;
}

function refuse(what: string, problem: string, advice: string): never {
  throw new NetmoorError('bad-json', `${what} ${problem}`, advice);
}

function noteName(level: Level, token: string, what: string): void {
  const name = JSON.parse(token) as string;
  level.expectsName = false;
  if (level.names?.has(name))
    refuse(what, `has two members ${quote(name)} in one object`, 'remove the one that is not meant');
  level.names?.add(name);
}

function isExact(token: string): boolean {
  const value = Number(token);
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
}

function checkTokens(text: string, what: string): void {
  const levels: Level[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ names: new Set(), expectsName: true });
    else if (token === '[') levels.push({ names: undefined, expectsName: false });
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',' && level?.names) level.expectsName = true;
    else if (token.startsWith('"') && level?.expectsName) noteName(level, token, what);
    else if (/^[-\d]/.test(token) && !isExact(token))
      refuse(what, `has the number ${token}, which cannot be written again as it is`, 'write a smaller one');
  }
}

/** Throws NetmoorError('bad-json'). */
export function parseStrictly(bytes: Buffer, what: string): JsonObject {
  const document = parseJsonObject(bytes, what);
  checkTokens(bytes.toString(), what);
  return document;
}
