/** What the elements in the kernel say that an owner holds: for making a lost record again. */
import { addressFromBytes } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { formatMac } from '../base/mac.ts';
import { describeKey } from './describe.ts';
import type { SetElement } from './element.ts';
import { fieldsOf, setPlan } from './layout.ts';
import type { PortForward, Protocol } from './rules.ts';

export interface Holdings {
  readonly masquerade: readonly Address[];
  /** Each port by itself, or a range of them. */
  readonly forwards: readonly PortForward[];
  /** MAC address that it is held to. */
  readonly checkedMac?: string;
  readonly isolated: boolean;
}

const PROTOCOLS: ReadonlyMap<number, Protocol> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function port(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : Buffer.from(bytes).readUInt16BE(0);
}

function forwardOf({ set, key, keyEnd = key, data }: SetElement): PortForward | undefined {
  const plan = setPlan(set);
  const [first, last] = [key, keyEnd].map((bytes) => fieldsOf(plan.key, bytes) ?? []);
  const [container, containerPort] = (data && plan.data && fieldsOf(plan.data, data)) ?? [];
  const [protocolField, hostPort] = first?.slice(-2) ?? [];
  const protocol = PROTOCOLS.get(protocolField?.[0] ?? 0);
  if (protocol === undefined || container === undefined) return undefined;
  const [from, to] = plan.key.length === 3 ? [first?.[0], last?.[0]] : [];
  const onOne = from !== undefined && to !== undefined && Buffer.compare(from, to) === 0;
  return {
    protocol,
    ...(onOne ? { hostIp: addressFromBytes(from) } : {}),
    hostPort: port(hostPort),
    count: port(last?.at(-1)) - port(hostPort) + 1,
    container: addressFromBytes(container),
    // A range leads to the same ports.
    containerPort: port(containerPort ?? hostPort),
  };
}

/** Of the elements that bear one owner's comment. */
export function holdingsOf(elements: readonly SetElement[]): Holdings {
  const of = (...sets: string[]): SetElement[] => elements.filter(({ set }) => sets.includes(set));
  const [mac] = of('macs').map(({ set, key }) => fieldsOf(setPlan(set).key, key)?.[1]);
  return {
    masquerade: of('masq4', 'masq6').map(({ key }) => addressFromBytes(key)),
    forwards: elements.flatMap((element) =>
      element.set.startsWith('publish') ? (forwardOf(element) ?? []) : [],
    ),
    ...(mac ? { checkedMac: formatMac(mac) } : {}),
    isolated: of('isolated').length > 0,
  };
}

export type BridgePolicy = 'open' | 'same-bridge' | 'isolated';

/** What the elements of a bridge say of who may open connections into it. */
export function policyOf(bridge: string, elements: readonly SetElement[]): BridgePolicy {
  const has = (set: string): boolean =>
    elements.some((element) => element.set === set && describeKey(element).split(' . ')[0] === bridge);
  if (!has('guarded')) return 'open';
  return has('same_bridge') ? 'same-bridge' : 'isolated';
}
