/** The reference's macvlan plugin as macvlan-v6. */
import type { JsonObject } from '../../lib/cni/json.ts';
import macvlanSchema from '../../schemas/macvlan-v6.schema.json' with { type: 'json' };
import { migrateIpam, speaksOfIpv6 } from './addresses.ts';
import { inserted, respelt } from './keys.ts';
import type { Tell } from './telling.ts';

const KEYS = Object.keys(macvlanSchema.properties);
const REFERENCE = 'macvlan';

const MEANINGS: readonly (readonly [string, string])[] = [
  ['mac', 'always the same for a container of that name, where it was a new one every time'],
  ['macspoofchk', 'what a container sends in the name of another is dropped; false turns that off'],
];

export function migrateMacvlan(written: JsonObject, network: string, tell: Tell): JsonObject {
  const spelt = respelt(written, KEYS, tell);
  tell({ plugin: REFERENCE, key: 'type', change: 'changed', text: 'macvlan-v6' });
  const ipam = migrateIpam(REFERENCE, spelt, network, {}, tell);
  const next: JsonObject = { ...spelt, type: 'macvlan-v6', ...(spelt['ipam'] === undefined ? {} : { ipam }) };
  for (const [key, text] of MEANINGS)
    if (next[key] === undefined) tell({ plugin: REFERENCE, key, change: 'meaning', text });
  if (next['master'] === undefined || next['master'] === '')
    tell({
      plugin: REFERENCE,
      key: 'master',
      change: 'meaning',
      text: 'the interface of the IPv6 default route comes before that of the IPv4 one',
    });
  if (next['addressing'] !== undefined || speaksOfIpv6(ipam)) return next;
  tell({
    plugin: REFERENCE,
    key: 'addressing',
    change: 'added',
    text: "none: the network gave no IPv6 addresses; leave it out to have those of the LAN's router",
  });
  return inserted(next, 'type', 'addressing', 'none');
}
