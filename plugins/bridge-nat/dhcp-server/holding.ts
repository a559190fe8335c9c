/**
 * A leased address in the kernel: a further name of the port that its client is behind, as the veth of a container has
 * one for each of its addresses. So nobody is given an address that a guest lives with, or the other way round, from
 * another store of the host, or from one that was lost.
 */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import type { Sockets } from '../../../lib/mooring/host.ts';
import { altNameRemoval, altNaming } from '../../../lib/netlink/alt-name.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { holdsOf } from '../names.ts';
import type { BridgeNatRecord } from '../detail.ts';
import { clientOf } from './client.ts';

/** Of the port on record alone: under another one the name is somebody else's. */
export function letGo({ route }: Pick<Sockets, 'route'>, record: BridgeNatRecord): void {
  const port = clientOf(record)?.port;
  if (port === undefined) return;
  for (const { name, address } of holdsOf(record)) {
    if (findLink(route, name)?.index !== port) continue;
    try {
      route.request(altNameRemoval(port, name, `let go of ${address}`));
    } catch (error) {
      if (!isErrno(error, 'EINVAL', 'ENODEV', 'ENOENT')) throw error;
    }
  }
}

/** `before`: the client's record until now. Throws NetmoorError('address-taken') when another link has it. */
export function hold(
  { route }: Pick<Sockets, 'route'>,
  record: BridgeNatRecord,
  before?: BridgeNatRecord,
): void {
  const port = clientOf(record)?.port;
  if (port === undefined) return;
  if (before !== undefined && clientOf(before)?.port !== port) letGo({ route }, before);
  for (const { name, address } of holdsOf(record)) {
    try {
      route.request(altNaming(port, name, `hold ${address}`));
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      const holder = findLink(route, name);
      if (holder === undefined || holder.index === port) continue;
      throw new NetmoorError('address-taken', `${address} is held behind ${holder.name}`, 'detach that', {
        cause: error,
      });
    }
  }
}
