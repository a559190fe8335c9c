/**
 * bridge-nat under the name of the reference's bridge, with its defaults where ours differ (README "Under the
 * reference's names"); what is on record is an attachment of bridge-nat.
 */
import { isJsonObject } from '../../lib/cni/json.ts';
import type { Json, JsonObject } from '../../lib/cni/json.ts';
import { loosened } from '../../lib/cni/loose-keys.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import { fromHostLocal, hostLocalFiles, requireRanges } from '../../lib/mooring/as-host-local.ts';
import { releaseHostLocal } from '../../lib/mooring/host-local.ts';
import bridgeSchema from '../../schemas/bridge-nat.schema.json' with { type: 'json' };
import { plugin } from './main.ts';

/** plugins/main/bridge/bridge.go of the reference; 1500 is what the kernel gives where nobody says anything. */
const DEFAULTS: JsonObject = {
  bridge: 'cni0',
  isGateway: false,
  ipMasq: false,
  mtu: 1500,
  ingressPolicy: 'open',
  allowServers: true,
  keepBridge: true,
};

const KEYS = Object.keys(bridgeSchema.properties);

/** Where ours reads a comment, the reference passes over what it does not know. */
const COMMENTS = Object.keys(bridgeSchema.patternProperties).map((pattern) => new RegExp(pattern));

function isHostLocal(ipam: Json | undefined): ipam is JsonObject {
  return isJsonObject(ipam) && ipam['type'] === 'host-local';
}

/** Without a type there are no addresses, whatever else is said of them. */
function ipamOf(ipam: Json | undefined): { ipam: JsonObject; passedOver: readonly string[] } {
  if (!isJsonObject(ipam) || (ipam['type'] ?? '') === '') return { ipam: {}, passedOver: [] };
  if (!isHostLocal(ipam)) return { ipam, passedOver: [] };
  const { ipam: own, passedOver } = fromHostLocal(ipam);
  // Of a gateway alone ours makes a default route where nothing is said of routes.
  return { ipam: { routes: [], ...own }, passedOver };
}

function withDefaults(raw: JsonObject): JsonObject {
  // To the reference an empty name, or an MTU of 0, is one that is not given.
  const given = Object.entries(raw).filter(([key, value]) => value !== '' && !(key === 'mtu' && value === 0));
  const members: JsonObject = { ...DEFAULTS, ...Object.fromEntries(given) };
  return members['isDefaultGateway'] === true ? { ...members, isGateway: true } : members;
}

/** The same call for bridge-nat. */
function asBridgeNat<C extends Context>(context: C): C {
  const { config, note, request } = context;
  const { members, passedOver } = loosened(config.raw, KEYS);
  const { ipam: written, ...rest } = members;
  const bare = written === undefined && rest['disableContainerInterface'] === true;
  const { ipam, passedOver: within } = ipamOf(written);
  const unknown = [...passedOver, ...within.map((key) => `ipam.${key}`)];
  const told = unknown.filter((key) => COMMENTS.every((pattern) => !pattern.test(key)));
  if (request.command === 'ADD' && told.length > 0) note(`bridge: passed over: ${told.join(', ')}`);
  const raw = withDefaults(bare ? rest : { ...rest, ipam });
  const { ipam: _former, ...others } = config;
  return { ...context, config: { ...others, ...(bare ? {} : { ipam }), raw } };
}

export const referenceBridge: Plugin = {
  ...plugin,
  name: 'bridge',
  about: "CNI bridge plugin of netmoor in the place of the reference's: bridge-nat with its defaults",
  add(context) {
    const asked = asBridgeNat(context);
    if (isHostLocal(context.config.ipam)) requireRanges(asked.config);
    return plugin.add(asked);
  },
  check: (context) => plugin.check(asBridgeNat(context)),
  async del(context) {
    await plugin.del(asBridgeNat(context));
    const { config, request, world } = context;
    // Of a container that the reference had attached.
    if (isHostLocal(config.ipam)) releaseHostLocal(hostLocalFiles(config.ipam, config.name), request, world);
  },
  gc: (context) => plugin.gc?.(asBridgeNat(context)),
  status: (context) => plugin.status?.(asBridgeNat(context)),
};
