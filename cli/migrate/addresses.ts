/** The `ipam` of a reference plugin as ours have it. */
import { isJsonObject } from '../../lib/cni/json.ts';
import type { Json, JsonObject } from '../../lib/cni/json.ts';
import { HOST_LOCAL_DIRECTORY } from '../../lib/mooring/host-local.ts';
import ipamSchema from '../../schemas/ipam.schema.json' with { type: 'json' };
import { inserted, requireType, respelt } from './keys.ts';
import type { Tell } from './telling.ts';

const STORE_KEYS = Object.keys(ipamSchema.properties);
const RANGE_KEYS = Object.keys(ipamSchema.definitions.range.properties);

function respeltRanges(ranges: Json | undefined, tell: Tell): Json | undefined {
  if (!Array.isArray(ranges)) return ranges;
  const range = (value: Json): Json => (isJsonObject(value) ? respelt(value, RANGE_KEYS, tell) : value);
  return ranges.map((set: Json) => (Array.isArray(set) ? set.map(range) : set));
}

function fromHostLocal(ipam: JsonObject, network: string, tell: Tell): JsonObject {
  const spelt = respelt(ipam, STORE_KEYS, tell);
  requireType('host-local', spelt, 'dataDir', 'string');
  const { dataDir, ...rest } = spelt;
  const ranges = respeltRanges(rest['ranges'], tell);
  tell({ plugin: 'host-local', key: 'ipam.type', change: 'changed', text: 'leases are kept by netmoor' });
  const from = typeof dataDir === 'string' && dataDir !== '' ? dataDir : HOST_LOCAL_DIRECTORY;
  if (dataDir !== undefined)
    tell({
      plugin: 'host-local',
      key: 'ipam.dataDir',
      change: 'dropped',
      text: `${from} is host-local's; netmoor's leases are in /var/lib/cni/netmoor`,
    });
  const elsewhere = from === HOST_LOCAL_DIRECTORY ? '' : ` --from ${from}`;
  tell({
    plugin: 'host-local',
    change: 'meaning',
    text: `containers that run keep what they have: "netmoor import host-local ${network}${elsewhere}" puts them on record`,
  });
  return { ...rest, ...(ranges === undefined ? {} : { ranges }), type: 'netmoor' };
}

function fromDhcp(ipam: JsonObject, tell: Tell): JsonObject {
  requireType('dhcp', ipam, 'daemonSocketPath', 'string');
  const { daemonSocketPath, ...rest } = ipam;
  tell({ plugin: 'dhcp', key: 'ipam.type', change: 'changed', text: "netmoor's engine prolongs the leases" });
  if (daemonSocketPath !== undefined)
    tell({
      plugin: 'dhcp',
      key: 'ipam.daemonSocketPath',
      change: 'dropped',
      text: "the reference's daemon speaks another protocol; the engine starts by itself",
    });
  tell({
    plugin: 'dhcp',
    change: 'meaning',
    text: 'servers know the container by another identity, so that it gets another lease than before',
  });
  return { ...rest, type: 'dhcp-ipam' };
}

/** Of the plugin's configuration; `empty`: what none at all is with ours. */
export function migrateIpam(
  plugin: string,
  config: JsonObject,
  network: string,
  empty: JsonObject,
  tell: Tell,
): JsonObject {
  const { ipam } = config;
  requireType(plugin, config, 'ipam', 'object');
  const written = isJsonObject(ipam) ? ipam : {};
  requireType('ipam', written, 'type', 'string');
  const type = written['type'] ?? '';
  if (type === 'host-local') return fromHostLocal(written, network, tell);
  if (type === 'dhcp') return fromDhcp(written, tell);
  if (type !== '') return written;
  if (!isJsonObject(ipam) || Object.keys(written).length > 0)
    tell({ plugin: 'ipam', key: 'ipam', change: 'changed', text: 'without a type it gave no addresses: {}' });
  return empty;
}

/** Without a default route the reference gave none; ours does when nothing is said of routes. */
export function withRoutes(ipam: JsonObject, tell: Tell): JsonObject {
  if (ipam['type'] !== 'netmoor' || ipam['routes'] !== undefined) return ipam;
  tell({
    plugin: 'host-local',
    key: 'ipam.routes',
    change: 'added',
    text: '[]: there was no default route, and netmoor adds one where nothing is said of routes',
  });
  return inserted(ipam, 'ranges', 'routes', []);
}

/** Whether any of the ranges or addresses in it are of IPv6, as macvlan-v6 takes them; IPv4 has no colons. */
export function speaksOfIpv6({ subnet, ranges, addresses }: JsonObject): boolean {
  const speaks = (value: Json | undefined): boolean => {
    if (typeof value === 'string') return value.includes(':');
    if (Array.isArray(value)) return value.some((item: Json) => speaks(item));
    return isJsonObject(value) && (speaks(value['subnet']) || speaks(value['address']));
  };
  return [subnet, ranges, addresses].some(speaks);
}
