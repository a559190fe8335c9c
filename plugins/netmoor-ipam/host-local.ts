/**
 * netmoor as an IPAM plugin under the name of the reference's host-local, with its keys and defaults: leases are in
 * netmoor's store, a store of their own, since the main plugin may be one of netmoor's and have the attachment itself
 * on record in the usual one. What host-local has given out before, a file for each address, is not given out again,
 * and goes with the container that has it.
 */
import { join } from 'node:path';
import { isJsonObject } from '../../lib/cni/json.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import { requestedAddresses } from '../../lib/cni/requested.ts';
import { fromHostLocal, hostLocalFiles, requireRanges } from '../../lib/mooring/as-host-local.ts';
import { hostLocalLeases, releaseHostLocal } from '../../lib/mooring/host-local.ts';
import { refuseBarred } from '../../lib/mooring/strangers.ts';
import { netmoorIpam } from './main.ts';

export const NAME = 'host-local';

/** The directory of that store, in the one of the host's own. */
function storeBeside({ world }: Context): string {
  return join(world.storeDirectory, NAME);
}

function asNetmoor<C extends Context>(
  context: C,
  further: (ipam: JsonObject) => JsonObject = (ipam) => ipam,
): C {
  const { config, note, request } = context;
  const { ipam, passedOver } = fromHostLocal(config.ipam ?? {}, storeBeside(context));
  if (request.command === 'ADD' && passedOver.length > 0)
    note(`host-local: passed over in ipam: ${passedOver.join(', ')}`);
  return { ...context, config: { ...config, ipam: further(ipam) } };
}

/** Addresses that host-local itself has given to other containers, and whose they are. */
function heldByFiles({ config, request, world }: Context): ReadonlyMap<string, string> {
  const leases = hostLocalLeases(hostLocalFiles(config.ipam, config.name), world);
  const others = leases.filter(({ containerId }) => containerId !== request.containerId);
  return new Map(others.map(({ address, containerId }) => [address, `${containerId}, by host-local`]));
}

function without(held: ReadonlyMap<string, string>): (ipam: JsonObject) => JsonObject {
  return (ipam) => {
    const { exclude } = ipam;
    const listed = Array.isArray(exclude) ? exclude : [];
    return held.size === 0 ? ipam : { ...ipam, exclude: [...listed, ...held.keys()] };
  };
}

export const hostLocal: Plugin = {
  ...netmoorIpam,
  name: NAME,
  about: "CNI IPAM plugin of netmoor in the place of host-local: its keys, leases in netmoor's store",
  add(context) {
    const held = heldByFiles(context);
    const asked = asNetmoor(context, without(held));
    requireRanges(asked.config);
    refuseBarred(requestedAddresses(asked.config, asked.request), held);
    return netmoorIpam.add(asked);
  },
  check: (context) => netmoorIpam.check(asNetmoor(context)),
  async del(context) {
    await netmoorIpam.del(asNetmoor(context));
    const { config, request, world } = context;
    const ipam = isJsonObject(config.ipam) ? config.ipam : undefined;
    releaseHostLocal(hostLocalFiles(ipam, config.name), request, world);
  },
  gc: (context) => netmoorIpam.gc?.(asNetmoor(context)),
  status: (context) => netmoorIpam.status?.(asNetmoor(context)),
};
