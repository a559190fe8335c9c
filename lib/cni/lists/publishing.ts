/**
 * Whether a network publishes ports at all. A runtime hands them to the plugins that declare the capability
 * portMappings; where none does, libcni drops them without a word.
 */
import type { JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import type { NetworkList } from './list.ts';

/** Of the reference's plugins, all but portmap: they take the capability, and do nothing about it. */
const NEVER = new Set([
  ...['bridge', 'ptp', 'macvlan', 'ipvlan', 'vlan', 'host-device', 'dummy', 'loopback', 'tap'],
  ...['tuning', 'firewall', 'bandwidth', 'sbr', 'vrf'],
]);

export function declares(plugin: JsonObject, capability: string): boolean {
  const declared = plugin['capabilities'];
  return isJsonObject(declared) && declared[capability] === true;
}

/** Ours takes a range of ports as one mapping ("range"); portmap and its like know single ports. */
const TAKES_RANGES = 'bridge-nat';

/** Of the plugins that publish, one that takes single ports alone. */
export function takesSinglePorts({ plugins }: Pick<NetworkList, 'plugins'>): string | undefined {
  const types = plugins.filter(publishes).map(({ type }) => String(type));
  return types.find((type) => type !== TAKES_RANGES);
}

function publishes(plugin: JsonObject): boolean {
  return declares(plugin, 'portMappings') && !NEVER.has(String(plugin['type']));
}

export function publishesPorts({ plugins }: Pick<NetworkList, 'plugins'>): boolean {
  return plugins.some(publishes);
}
