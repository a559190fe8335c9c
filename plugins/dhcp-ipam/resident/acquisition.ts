/** What a container that asks for leases is to be known by, here and to the servers. */
import { here } from '../../../lib/mooring/vantage.ts';
import { DHCP_LEASE_VERSION } from '../../../ipam/dhcp/record.ts';
import { bareKey } from '../../../ipam/record.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';
import type { DhcpConfig } from '../config.ts';
import { identityOf } from '../identity.ts';
import type { Entered } from '../tasks/enter.ts';
import type { Base } from './base.ts';
import type { ClientWorld, Wishes } from './client.ts';

export interface Acquisition {
  readonly key: AttachmentKey;
  readonly config: DhcpConfig;
  /** CNI_NETNS */
  readonly netns: string;
}

export function baseFor(
  { key, config: { priority, segment }, netns }: Acquisition,
  { inode, index, mac }: Entered,
  { host: { world }, reactor }: ClientWorld,
): Base {
  const createdAt = world.now();
  return {
    version: DHCP_LEASE_VERSION,
    ...bareKey(key),
    incarnation: `dhcp.${createdAt}.${Math.round(reactor.now() * 1000)}`,
    bootId: world.bootId,
    host: here(world),
    createdAt,
    netns: { path: netns, inode },
    link: { index, mac },
    ...(segment === undefined ? {} : { segment }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/** `preferredAddress`: IPv4, which it had before. */
export function wishesFor(
  { key, config: { v4, v6, clientId } }: Acquisition,
  { mac }: Entered,
  { host: { world } }: ClientWorld,
  preferredAddress: string | undefined,
): Wishes {
  const who = identityOf(key, world.machineId);
  return {
    v4: v4 && {
      ...v4,
      mac,
      clientId: clientId ?? who.clientId,
      ...(preferredAddress === undefined ? {} : { preferredAddress }),
    },
    v6: v6 && { ...v6, duid: who.duid, iaid: who.iaid },
  };
}
