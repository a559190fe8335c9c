/** Addresses from another IPAM plugin, and giving them back when only the record is left to say whose they are. */
import { NetmoorError } from '../base/errors.ts';
import type { UndoStack } from '../base/undo.ts';
import { delegateAdd, delegateDel } from '../cni/delegate.ts';
import type { Delegation } from '../cni/delegate.ts';
import { isJsonObject, parseJsonObject } from '../cni/json.ts';
import type { AttachmentRecord, DelegateRecord } from '../../ipam/record.ts';
import type { Host } from './host.ts';
import type { IpamChoice } from './ipam.ts';
import type { Leased } from './kind.ts';
import { engineAt, releaseThroughEngine } from './through-engine.ts';

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

/**
 * What it gave goes back with everything else, even if it is of no use. `bare`: it may have nothing to give but names.
 */
export function leaseFromDelegate(
  type: string,
  delegation: Delegation,
  undo: UndoStack,
  bare = false,
): Leased {
  const { ips, routes, dns } = delegateAdd(type, delegation);
  undo.push(`give addresses back to ${type}`, () => delegateDel(type, delegation));
  if (ips.length === 0 && !bare) {
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

/** The request that DEL would have had from the runtime, rebuilt from the record. */
function requestOf(
  { surroundings }: Host,
  { containerId, ifname }: AttachmentRecord,
  given: { readonly config: string; readonly path: readonly string[]; readonly args?: string },
): Delegation['request'] {
  const path = [...new Set([...surroundings.path, ...given.path])];
  const { CNI_NETNS = '', ...inherited } = surroundings.environment;
  // Another attachment's request may have come upon this one.
  const meant = inherited['CNI_CONTAINERID'] === containerId && inherited['CNI_IFNAME'] === ifname;
  const environment = {
    ...inherited,
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifname,
    CNI_NETNS: meant ? CNI_NETNS : '',
    CNI_ARGS: given.args,
    CNI_PATH: path.join(':'),
  };
  return { path, environment, stdin: Buffer.from(given.config) };
}

/** What others have leased to it: an IPAM plugin, DHCP servers by way of the engine. */
export function releaseDelegated(host: Host, record: AttachmentRecord): void {
  const { surroundings, world } = host;
  const { delegate, dhcp } = record;
  const call = { world, note: surroundings.note };
  if (dhcp !== undefined) {
    const request = requestOf(host, record, { ...dhcp, path: [] });
    const { ipam } = parseJsonObject(request.stdin, 'the config of its DHCP lease');
    releaseThroughEngine(record, { ...call, request, ...engineAt(isJsonObject(ipam) ? ipam : undefined) });
  }
  if (delegate !== undefined)
    delegateDel(delegate.type, { ...call, request: requestOf(host, record, delegate) });
}
