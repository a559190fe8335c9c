/** Keys of configurations: which ones a plugin knows, and how they are spelt. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { isJsonObject } from '../../lib/cni/json.ts';
import type { Json, JsonObject } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';
import bridgeSchema from '../../schemas/bridge-nat.schema.json' with { type: 'json' };
import type { Tell } from './telling.ts';

/** What libcni puts into every plugin's configuration, and what people write beside. */
const ENVELOPE = new Set(['cniVersion', 'name', 'type']);

const PATTERNS = Object.keys(bridgeSchema.patternProperties).map((pattern) => new RegExp(pattern));

/** What bridge-nat passes over, the protocol's own keys excepted. */
export function isComment(key: string): boolean {
  return !key.startsWith('cni.dev/') && PATTERNS.some((pattern) => pattern.test(key));
}

/** Of the network and the plugin, not of what it does. */
export function isEnvelope(key: string): boolean {
  return ENVELOPE.has(key);
}

/** The reference's plugins (Go, encoding/json) take a key in any case; ours take it as their schema writes it. */
export function respelt(config: JsonObject, known: readonly string[], tell: Tell): JsonObject {
  const plugin = String(config['type'] ?? 'ipam');
  const byLower = new Map(known.map((key) => [key.toLowerCase(), key]));
  const spell = (key: string): string => {
    const proper = byLower.get(key.toLowerCase()) ?? key;
    if (proper === key || known.includes(key) || Object.hasOwn(config, proper)) return key;
    tell({ plugin, key, change: 'renamed', text: `spelt ${proper}` });
    return proper;
  };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [spell(key), value]));
}

/** With a member behind another one, or at the end. */
export function inserted(config: JsonObject, behind: string, key: string, value: Json): JsonObject {
  const entries = Object.entries(config);
  const at = entries.findIndex(([name]) => name === behind);
  return Object.fromEntries(entries.toSpliced(at < 0 ? entries.length : at + 1, 0, [key, value]));
}

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const TYPES = {
  string: (value: Json): boolean => typeof value === 'string',
  object: isJsonObject,
  'object of true and false': (value: Json): boolean =>
    isJsonObject(value) && Object.values(value).every((each) => typeof each === 'boolean'),
};

/**
 * Throws NetmoorError('bad-config') where a key is of a type that no plugin takes, before it is read for something that
 * it is not. null is as if it were not there (Go, encoding/json).
 */
export function requireType(plugin: string, config: JsonObject, key: string, type: keyof typeof TYPES): void {
  const value = config[key];
  if (value === undefined || value === null || TYPES[type](value)) return;
  throw new NetmoorError(
    'bad-config',
    `${key} of ${plugin} is ${quote(value)}, which is no ${type}`,
    'correct it, or remove it: the reference would refuse it, too',
  );
}
