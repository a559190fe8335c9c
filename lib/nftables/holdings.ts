/** What the elements in the kernel say that an owner holds: for making a lost record again. */
import { addressFromBytes, sameAddress } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { formatMac } from '../base/mac.ts';
import { protocolNamed, wordIn } from '../base/transport.ts';
import { describeKey } from './describe.ts';
import type { SetElement } from './element.ts';
import { isEveryAddress } from './every-address.ts';
import { fieldsOf, setPlan } from './layout.ts';
import type { Circumstance, OneToOne, PortForward, SourceTranslation, Span } from './rules.ts';

export interface Holdings {
  /** Behind whichever interface. */
  readonly masquerade: readonly Address[];
  /** By an address of its own, or behind some interfaces alone; each interface by itself. */
  readonly sources: readonly SourceTranslation[];
  readonly oneToOne: readonly OneToOne[];
  /** Each port by itself, or a range of them. */
  readonly forwards: readonly PortForward[];
  /** MAC address that it is held to. */
  readonly checkedMac?: string;
  readonly isolated: boolean;
}

function forwardOf({ set, key, keyEnd = key, data }: SetElement): PortForward | undefined {
  const plan = setPlan(set);
  const [first, last] = [key, keyEnd].map((bytes) => fieldsOf(plan.key, bytes) ?? []);
  const [container, containerPort] = (data && plan.data && fieldsOf(plan.data, data)) ?? [];
  const [protocolField, hostPort] = first?.slice(-2) ?? [];
  const protocol = protocolNamed(protocolField?.[0]);
  if (protocol === undefined || container === undefined) return undefined;
  const [from, to] = plan.key.length === 3 ? [first?.[0], last?.[0]] : [];
  const onOne = from !== undefined && to !== undefined && Buffer.compare(from, to) === 0;
  return {
    protocol,
    ...(onOne ? { hostIp: addressFromBytes(from) } : {}),
    hostPort: wordIn(hostPort),
    count: wordIn(last?.at(-1)) - wordIn(hostPort) + 1,
    container: addressFromBytes(container),
    // A range leads to the same ports.
    containerPort: wordIn(containerPort ?? hostPort),
  };
}

/** The name, or "eth*" for a span of names that begin so. */
function interfaceIn(first: Uint8Array | undefined, last = first): string {
  const text = Buffer.from(first ?? [])
    .toString('utf8')
    .replace(/\0.*$/s, '');
  const one = first === undefined || last === undefined || Buffer.compare(first, last) === 0;
  return one ? text : `${text}*`;
}

function sourceOf({ set, key, data }: SetElement): SourceTranslation {
  const [address = new Uint8Array(4), ifname] = fieldsOf(setPlan(set).key, key) ?? [];
  return {
    address: addressFromBytes(address),
    ...(data ? { to: addressFromBytes(data) } : {}),
    ...(ifname ? { uplinks: [interfaceIn(ifname)] } : {}),
  };
}

function pairOf({ key, data }: SetElement): OneToOne[] {
  return data ? [{ public: addressFromBytes(key), container: addressFromBytes(data) }] : [];
}

/** Undefined for every address, which is what stands where nothing is said. */
function spanIn(first: Uint8Array | undefined, last: Uint8Array | undefined): Span | undefined {
  if (first === undefined || last === undefined || isEveryAddress(first, last)) return undefined;
  return { first: addressFromBytes(first), last: addressFromBytes(last) };
}

/** Of an element of met4 and the like: destination, protocol, ports, source, and an interface in some. */
interface Condition {
  readonly protocol: number;
  readonly hostPort: number;
  readonly circumstance: Circumstance;
}

function conditionOf({ set, key, keyEnd = key }: SetElement): Condition {
  const { key: types } = setPlan(set);
  const [first = [], last = []] = [key, keyEnd].map((bytes) => fieldsOf(types, bytes) ?? []);
  const destination = spanIn(first[0], last[0]);
  const source = spanIn(first[3], last[3]);
  return {
    protocol: first[1]?.[0] ?? 0,
    hostPort: wordIn(first[2]),
    circumstance: {
      ...(source ? { source } : {}),
      ...(destination ? { destination } : {}),
      ...(first[4] ? { ifname: interfaceIn(first[4], last[4]) } : {}),
    },
  };
}

/** With the conditions of the same port, where it has any. */
function conditional(forward: PortForward, elements: readonly SetElement[]): PortForward {
  const { family } = forward.container;
  const fits = ({ protocol, hostPort }: Condition): boolean =>
    protocolNamed(protocol) === forward.protocol && hostPort === forward.hostPort;
  const of = (...sets: string[]): Condition[] =>
    elements.filter(({ set }) => sets.includes(set)).map(conditionOf);
  const only = of(`met${family}`, `met${family}_via`).filter(fits);
  const covered = of(`conditional${family}`).some(fits);
  return covered ? { ...forward, only: only.map(({ circumstance }) => circumstance) } : forward;
}

/** Of the elements that bear one owner's comment. */
export function holdingsOf(elements: readonly SetElement[]): Holdings {
  const of = (...sets: string[]): SetElement[] => elements.filter(({ set }) => sets.includes(set));
  const oneToOne = of('one4', 'one6').flatMap(pairOf);
  const isPair = ({ address, to }: SourceTranslation): boolean =>
    oneToOne.some((pair) => sameAddress(pair.container, address) && to && sameAddress(pair.public, to));
  const [mac] = of('macs').map(({ set, key }) => fieldsOf(setPlan(set).key, key)?.[1]);
  return {
    masquerade: of('masq4', 'masq6').map(({ key }) => addressFromBytes(key)),
    sources: elements
      .filter(({ set }) => set.startsWith('snat') || /^masq[46]_via$/.test(set))
      .map(sourceOf)
      .filter((source) => !isPair(source)),
    oneToOne,
    forwards: elements
      .flatMap((element) => (element.set.startsWith('publish') ? (forwardOf(element) ?? []) : []))
      .map((forward) => conditional(forward, elements)),
    ...(mac ? { checkedMac: formatMac(mac) } : {}),
    isolated: of('isolated').length > 0,
  };
}

export type BridgePolicy = 'open' | 'same-bridge' | 'isolated';

/** Whose address redirected packets have inside, by the elements of a bridge. */
export function redirectedSourceIn(
  bridge: string,
  elements: readonly SetElement[],
): 'kept' | 'ours' | undefined {
  const has = (set: string): boolean =>
    elements.some((element) => element.set === set && describeKey(element) === bridge);
  if (has('no_snat')) return 'kept';
  return has('masq_all') ? 'ours' : undefined;
}

/** What the elements of a bridge say of who may open connections into it. */
export function policyOf(bridge: string, elements: readonly SetElement[]): BridgePolicy {
  const has = (set: string): boolean =>
    elements.some((element) => element.set === set && describeKey(element).split(' . ')[0] === bridge);
  if (!has('guarded')) return 'open';
  return has('same_bridge') ? 'same-bridge' : 'isolated';
}
