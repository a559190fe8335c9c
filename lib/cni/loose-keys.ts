/**
 * Configurations of the reference's plugins (Go, encoding/json): keys in any case, and any others passed over. For what
 * serves under their names; under our own a key that nobody knows is an error.
 */
import type { Json, JsonObject } from './json.ts';

export interface Loosened {
  /** Spelt as `known` has them. A key that is spelt so exactly wins over its other spellings. */
  readonly members: JsonObject;
  readonly passedOver: readonly string[];
}

export function loosened(object: JsonObject, known: readonly string[]): Loosened {
  const proper = new Map(known.map((key) => [key.toLowerCase(), key]));
  const members: Record<string, Json> = {};
  const passedOver: string[] = [];
  for (const [key, value] of Object.entries(object)) {
    const meant = proper.get(key.toLowerCase());
    if (meant === undefined) passedOver.push(key);
    else if (meant === key || !Object.hasOwn(object, meant)) members[meant] = value;
  }
  return { members, passedOver };
}
