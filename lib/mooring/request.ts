/**
 * From a CNI call to what this room works with: the attachment's key, its configuration, its namespace, its
 * surroundings.
 */
import type { Delegation } from '../cni/delegate.ts';
import type { AttachedContext, Context } from '../cni/plugin.ts';
import { requireNetns } from '../cni/plugin.ts';
import { refuseUnknownArgs, withoutAddresses } from '../cni/requested.ts';
import type { Dns } from '../cni/result.ts';
import type { CniVersion } from '../cni/versions.ts';
import type { Netns } from '../system/netns.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import type { Surroundings } from './host.ts';
import type { Kind, MooringConfig, MooringDetail } from './kind.ts';

/** An attachment that is asked for. */
export interface Asked<C> {
  readonly key: AttachmentKey;
  readonly config: C;
  readonly netns: Netns;
  readonly cniVersion: CniVersion;
  /** Whose dns settings count before those of the IPAM. */
  readonly dns: { readonly runtime: Dns; readonly config: Dns };
  /** How an IPAM plugin of others is called for it. */
  readonly delegation: Delegation;
}

export function keyOf({ config, request }: Context): AttachmentKey {
  return { network: config.name, containerId: request.containerId, ifname: request.ifname };
}

export function surroundingsOf({ request, note }: Context): Surroundings {
  return { path: request.path, environment: request.environment, note };
}

export async function askedOf<C extends MooringConfig, D extends MooringDetail>(
  kind: Kind<C, D>,
  context: AttachedContext,
): Promise<Asked<C>> {
  const { config, request, world, note } = context;
  refuseUnknownArgs(request);
  const read = await kind.readConfig(config, request);
  return {
    key: keyOf(context),
    config: read,
    netns: requireNetns(context),
    cniVersion: config.cniVersion,
    dns: { runtime: config.runtimeConfig.dns, config: config.dns },
    delegation: { request: withoutAddresses(request, read.askedOfRouters ?? []), world, note },
  };
}
