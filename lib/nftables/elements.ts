/** From what is asked for an attachment to the elements that stand for it; a pure function. */
import type { Address, Prefix } from '../base/ip.ts';
import { addressBytes, firstAddress, lastAddress } from '../base/ip.ts';
import { parseMac } from '../base/mac.ts';
import { concatenate, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { ifnameBytes } from './match.ts';
import { bridgeComment, ownerComment } from './owner.ts';
import type { AttachmentRules, NetworkRules, PortForward, Protocol } from './rules.ts';

/** One element: what the kernel's sets hold. `keyEnd` is the last key of an interval; `data` is there in maps. */
export interface SetElement {
  readonly set: SetName;
  readonly key: Buffer;
  readonly keyEnd?: Buffer;
  readonly data?: Buffer;
  readonly comment: string;
}

/** IANA protocol numbers. */
const PROTOCOLS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

/** Throws RangeError for a port outside 1 to 65535. */
function checkedPort(port: number, count: number): void {
  if (port < 1 || count < 1 || port + count - 1 > 65535)
    throw new RangeError(`ports ${port} to ${port + count - 1}`);
}

function publishElements(forward: PortForward, comment: string): SetElement[] {
  const { container, hostIp, hostPort, containerPort, count } = forward;
  checkedPort(hostPort, count);
  checkedPort(containerPort, count);
  const onOne = hostIp !== undefined && hostIp.value !== 0n;
  const set: SetName = `publish${container.family}${onOne ? '_host' : ''}`;
  const { key: keyTypes, data: dataTypes = [] } = setPlan(set);
  const protocol = Buffer.from([PROTOCOLS[forward.protocol]]);
  const fixed = onOne ? [addressBytes(hostIp), protocol] : [protocol];
  const to = addressBytes(container);
  return Array.from({ length: count }, (_, i) => ({
    set,
    key: concatenate(keyTypes, [...fixed, portBytes(hostPort + i)]),
    data: concatenate(dataTypes, [to, portBytes(containerPort + i)]),
    comment,
  }));
}

function macElements(
  { hostIfname, mac }: { hostIfname: string; mac: string },
  comment: string,
): SetElement[] {
  const ifname = ifnameBytes(hostIfname);
  return [
    { set: 'checked', key: ifname, comment },
    { set: 'macs', key: concatenate(setPlan('macs').key, [ifname, parseMac(mac)]), comment },
  ];
}

function masqueradeElement(address: Address, comment: string): SetElement {
  return { set: `masq${address.family}`, key: addressBytes(address), comment };
}

/** The elements that go with the attachment. Throws RangeError for ports that do not exist. */
export function attachmentElements({
  owner,
  masquerade,
  forwards,
  macSpoofCheck,
  isolatedPort,
}: AttachmentRules): SetElement[] {
  const comment = ownerComment(owner);
  return [
    ...masquerade.map((address) => masqueradeElement(address, comment)),
    ...forwards.flatMap((forward) => publishElements(forward, comment)),
    ...(macSpoofCheck ? macElements(macSpoofCheck, comment) : []),
    ...(isolatedPort ? [{ set: 'isolated', key: ifnameBytes(isolatedPort), comment } as const] : []),
  ];
}

function insideElement(bridge: Buffer, subnet: Prefix, comment: string): SetElement {
  const set: SetName = `inside${subnet.address.family}`;
  const types = setPlan(set).key;
  return {
    set,
    key: concatenate(types, [bridge, addressBytes(firstAddress(subnet))]),
    keyEnd: concatenate(types, [bridge, addressBytes(lastAddress(subnet))]),
    comment,
  };
}

/** The elements that stay until the bridge's last attachment goes. */
export function bridgeElements({ bridge, subnets, ingressPolicy }: NetworkRules): SetElement[] {
  const comment = bridgeComment(bridge);
  const ifname = ifnameBytes(bridge);
  const pair = concatenate(setPlan('same_bridge').key, [ifname, ifname]);
  return [
    { set: 'bridges', key: ifname, comment },
    ...subnets.map((subnet) => insideElement(ifname, subnet, comment)),
    ...(ingressPolicy === 'open' ? [] : [{ set: 'guarded', key: ifname, comment } as const]),
    ...(ingressPolicy === 'same-bridge' ? [{ set: 'same_bridge', key: pair, comment } as const] : []),
  ];
}
