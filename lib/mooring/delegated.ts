/** Addresses from another IPAM plugin, and giving them back when only the record is left to say whose they are. */
import { NetmoorError } from '../base/errors.ts';
import type { UndoStack } from '../base/undo.ts';
import { delegateAdd, delegateDel } from '../cni/delegate.ts';
import type { Delegation } from '../cni/delegate.ts';
import type { AttachmentRecord, DelegateRecord } from '../../ipam/record.ts';
import type { Host } from './host.ts';
import type { IpamChoice } from './ipam.ts';
import type { Leased } from './kind.ts';

/** What the record keeps of the delegate; undefined when the addresses are our own, or there are none. */
export function delegateRecord(ipam: IpamChoice, { request }: Delegation): DelegateRecord | undefined {
  if (ipam.kind !== 'delegated') return undefined;
  const { path, stdin, environment } = request;
  const args = environment['CNI_ARGS'];
  return {
    type: ipam.type,
    config: stdin.toString(),
    path: [...path],
    ...(args === undefined ? {} : { args }),
  };
}

/** What it gave goes back with everything else, even if it is of no use. */
export function leaseFromDelegate(type: string, delegation: Delegation, undo: UndoStack): Leased {
  const { ips, routes, dns } = delegateAdd(type, delegation);
  undo.push(`give addresses back to ${type}`, () => delegateDel(type, delegation));
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
export function releaseDelegated({ surroundings, world }: Host, record: AttachmentRecord): void {
  const { delegate, containerId, ifname } = record;
  if (delegate === undefined) return;
  const path = [...new Set([...surroundings.path, ...delegate.path])];
  const { CNI_NETNS = '', ...inherited } = surroundings.environment;
  // Another attachment's request may have come upon this one.
  const meant = inherited['CNI_CONTAINERID'] === containerId && inherited['CNI_IFNAME'] === ifname;
  const environment = {
    ...inherited,
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifname,
    CNI_NETNS: meant ? CNI_NETNS : '',
    CNI_ARGS: delegate.args,
    CNI_PATH: path.join(':'),
  };
  const request = { path, environment, stdin: Buffer.from(delegate.config) };
  delegateDel(delegate.type, { request, world, note: surroundings.note });
}
