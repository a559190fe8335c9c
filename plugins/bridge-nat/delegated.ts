/** Addresses from another IPAM plugin, and giving them back when only the record is left to say whose they are. */
import { delegateAdd, delegateDel } from '../../lib/cni/delegate.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Context } from '../../lib/cni/plugin.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { AttachRequest } from './attach.ts';
import { detailOf } from './detail.ts';
import type { BridgeNatDetail } from './detail.ts';
import type { Leased } from './plan.ts';

/** What the record keeps of the delegate; undefined when the addresses are our own, or there are none. */
export function delegateOf({ config, context }: AttachRequest): BridgeNatDetail['delegate'] {
  if (config.ipam.kind !== 'delegated') return undefined;
  const { path, stdin, environment } = context.request;
  const args = environment['CNI_ARGS'];
  return {
    type: config.ipam.type,
    config: stdin.toString(),
    path: [...path],
    ...(args === undefined ? {} : { args }),
  };
}

export function leaseFromDelegate(type: string, context: Context): Leased {
  const { ips, routes, dns } = delegateAdd(type, context);
  if (ips.length === 0) {
    throw new NetmoorError(
      'delegate',
      `IPAM plugin ${type} gave no address`,
      'check the "ipam" section of the network config',
    );
  }
  return {
    addresses: ips.map(({ address, gateway }) =>
      gateway === undefined ? { address } : { address, gateway },
    ),
    routes,
    dns,
  };
}

/** The request that DEL of the delegate would have had from the runtime, rebuilt from the record. */
export function releaseDelegated(context: Context, record: AttachmentRecord): void {
  const { delegate } = detailOf(record);
  if (delegate === undefined) return;
  const { containerId, ifname } = record;
  const path = [...new Set([...context.request.path, ...delegate.path])];
  const environment = {
    ...context.request.environment,
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifname,
    CNI_NETNS: context.request.netns,
    CNI_ARGS: delegate.args,
    CNI_PATH: path.join(':'),
  };
  const request = {
    ...context.request,
    command: 'DEL' as const,
    containerId,
    ifname,
    path,
    stdin: Buffer.from(delegate.config),
    environment,
  };
  delegateDel(delegate.type, { ...context, request });
}
