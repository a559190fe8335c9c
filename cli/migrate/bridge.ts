/** The reference's bridge plugin as bridge-nat: what it did by default is written out where ours does otherwise. */
import type { Json, JsonObject } from '../../lib/cni/json.ts';
import bridgeSchema from '../../schemas/bridge-nat.schema.json' with { type: 'json' };
import type { Known } from './absorbed.ts';
import { migrateIpam, withRoutes } from './addresses.ts';
import { inserted, respelt } from './keys.ts';
import type { Tell } from './telling.ts';

/** What bridge-nat knows, as its schema says. */
export const KNOWN: Known = new Map(
  Object.entries<object>(bridgeSchema.properties).map(([key, value]) => [
    key,
    'properties' in value ? Object.keys(value.properties as object) : [],
  ]),
);
const BRIDGE_KEYS = [...KNOWN.keys()];

const REFERENCE = 'bridge';
/** plugins/main/bridge/bridge.go, defaultBrName */
const REFERENCE_BRIDGE = 'cni0';

/** Keys of old that the reference passes over. */
const PASSED_OVER = ['addIf'];

function added(
  config: JsonObject,
  behind: string,
  key: string,
  value: Json,
  why: string,
  tell: Tell,
): JsonObject {
  tell({ plugin: REFERENCE, key, change: 'added', text: `${JSON.stringify(value)}: ${why}` });
  return inserted(config, behind, key, value);
}

/** A layer 2 network has neither gateway nor NAT with either of the two. */
function withRole(config: JsonObject, tell: Tell): JsonObject {
  const isDefault = config['isDefaultGateway'] === true;
  let next = config;
  if (next['isGateway'] === undefined && !isDefault)
    next = added(next, 'bridge', 'isGateway', false, "the reference's default; netmoor's is true", tell);
  if (next['ipMasq'] === undefined)
    next = added(next, 'isGateway', 'ipMasq', false, "the reference's default; netmoor's is isGateway", tell);
  return next;
}

function withoutPassedOver(config: JsonObject, tell: Tell): JsonObject {
  const isGone = (key: string): boolean => PASSED_OVER.includes(key) && !BRIDGE_KEYS.includes(key);
  for (const key of Object.keys(config).filter(isGone))
    tell({ plugin: REFERENCE, key, change: 'dropped', text: 'the reference passes it over' });
  return Object.fromEntries(Object.entries(config).filter(([key]) => !isGone(key)));
}

function withBridge(config: JsonObject, tell: Tell): JsonObject {
  const { bridge, ...rest } = config;
  if (bridge !== undefined && bridge !== '') return config;
  const why = "the reference's default; netmoor's is of the network's name";
  return added(rest, 'type', 'bridge', REFERENCE_BRIDGE, why, tell);
}

export function migrateBridge(written: JsonObject, network: string, tell: Tell): JsonObject {
  const spelt = withoutPassedOver(respelt(written, [...BRIDGE_KEYS, ...PASSED_OVER], tell), tell);
  tell({ plugin: REFERENCE, key: 'type', change: 'changed', text: 'bridge-nat' });
  const named = withBridge({ ...spelt, type: 'bridge-nat' }, tell);
  const disabled = named['disableContainerInterface'] === true;
  if (disabled && named['ipam'] === undefined) return named;
  const ipam = migrateIpam(REFERENCE, named, network, {}, tell);
  if (Object.keys(ipam).length === 0) return { ...named, ipam };
  const routed = withRole({ ...named, ipam }, tell);
  const bare = routed['isGateway'] === true && routed['isDefaultGateway'] !== true;
  return bare ? { ...routed, ipam: withRoutes(ipam, tell) } : routed;
}
