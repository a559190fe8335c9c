/** Addresses from another IPAM plugin, and giving them back when only the record is left to say whose they are. */
import { NetmoorError } from '../base/errors.ts';
import type { UndoStack } from '../base/undo.ts';
import { delegateAdd, delegateDel } from '../cni/delegate.ts';
import type { Delegation } from '../cni/delegate.ts';
import { isJsonObject, parseJsonObject } from '../cni/json.ts';
import type { CniResult } from '../cni/result.ts';
import type { AttachmentKey, AttachmentRecord, DelegateRecord } from '../../ipam/record.ts';
import type { Host } from './host.ts';
import type { IpamChoice } from './ipam.ts';
import type { Leased } from './kind.ts';
import { DHCP_IPAM } from './ipam-type.ts';
import { engineAt, leaseThroughEngine, releaseThroughEngine } from './through-engine.ts';
import type { EngineCall } from './through-engine.ts';

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

/** The engine has a deadline of its own, which the configuration sets: this one is the longest there can be. */
const LONGEST_MS = 200_000;

type Add = (type: string, key: AttachmentKey, delegation: Delegation, undo: UndoStack) => CniResult;

const addByProcess: Add = (type, _key, delegation, undo) => {
  const result = delegateAdd(type, delegation);
  undo.push(`give addresses back to ${type}`, () => delegateDel(type, delegation));
  return result;
};

/** A call of dhcp-ipam, which is ours: without a process in between that would do nothing but ask. */
function engineCall(delegation: EngineCall): EngineCall {
  const { ipam } = parseJsonObject(delegation.request.stdin, 'the network config');
  return { ...delegation, ...engineAt(isJsonObject(ipam) ? ipam : undefined) };
}

const addThroughEngine: Add = (_type, key, delegation, undo) =>
  leaseThroughEngine(key, engineCall(delegation), LONGEST_MS, undo);

/** What a result of an IPAM plugin says. */
export function leasedOf({ ips, routes, dns }: CniResult): Leased {
  const addresses = ips.map(({ address, gateway }) =>
    gateway === undefined ? { address } : { address, gateway },
  );
  return { addresses, routes, dns };
}

/**
 * What it gave goes back with everything else, even if it is of no use. `bare`: it may have nothing to give but names.
 */
export function leaseFromDelegate(
  type: string,
  key: AttachmentKey,
  delegation: Delegation,
  undo: UndoStack,
  bare = false,
): Leased {
  const ask = type === DHCP_IPAM ? addThroughEngine : addByProcess;
  const leased = leasedOf(ask(type, key, delegation, undo));
  if (leased.addresses.length === 0 && !bare) {
    throw new NetmoorError(
      'delegate',
      `IPAM plugin ${type} gave no address`,
      'check the "ipam" section of the network config',
    );
  }
  return leased;
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
    releaseThroughEngine(record, engineCall({ ...call, request }));
  }
  if (delegate === undefined) return;
  const request = requestOf(host, record, delegate);
  if (delegate.type === DHCP_IPAM) releaseThroughEngine(record, engineCall({ ...call, request }));
  else delegateDel(delegate.type, { ...call, request });
}
