/** From the configuration to what is kept on record of translated addresses, and from there to what the tables hold. */
import { formatAddress, parseAddress, sameAddress } from '../../../lib/base/ip.ts';
import type { Address, Family, Prefix } from '../../../lib/base/ip.ts';
import type {
  AttachmentRules,
  Circumstance,
  NetworkRules,
  PortForward,
  Span,
} from '../../../lib/nftables/rules.ts';
import type { PortRecord } from '../../../ipam/record.ts';
import { formatSpan } from '../../../ipam/span.ts';
import type { BridgeNatDetail } from '../../../schemas/compiled/bridge-nat-detail.js';
import type { NatConfig } from './config.ts';
import type { PublicAddress, StaticForward } from './mappings.ts';

export type NatDetail = NonNullable<BridgeNatDetail['nat']>;
type ConditionRecord = NonNullable<NatDetail['conditions']>[number];

function parseSpan(text: string): Span {
  const [first = '', last = first] = text.split('-');
  return { first: parseAddress(first), last: parseAddress(last) };
}

export function conditionRecord(
  family: Family,
  { source, destination, ifname }: Circumstance,
): ConditionRecord {
  return {
    family,
    ...(source ? { source: formatSpan(source) } : {}),
    ...(destination ? { destination: formatSpan(destination) } : {}),
    ...(ifname === undefined ? {} : { ifname }),
  };
}

function pairRecord({ answeredOn, ...pair }: PublicAddress): NonNullable<NatDetail['oneToOne']>[number] {
  return {
    public: formatAddress(pair.public),
    container: formatAddress(pair.container),
    ...(answeredOn ? { answeredOn: [...answeredOn] } : {}),
  };
}

/** Without the members that say nothing; undefined when none says anything. */
export function compactNat(nat: { [K in keyof NatDetail]: NatDetail[K] | undefined }): NatDetail | undefined {
  const said = Object.entries(nat).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return said.length === 0 ? undefined : (Object.fromEntries(said) as NatDetail);
}

/** `family`: the only one that is masqueraded. */
export function natDetail(nat: NatConfig | undefined, family: Family | undefined): NatDetail | undefined {
  if (nat === undefined) return compactNat({ family });
  return compactNat({
    family,
    sources: nat.sources.map(formatAddress),
    uplinks: nat.uplinks && [...nat.uplinks],
    oneToOne: nat.oneToOne.map(pairRecord),
    redirectedSource: nat.redirectedSource,
    conditions: ([4, 6] as const).flatMap((each) =>
      (nat.conditions[each] ?? []).map((condition) => conditionRecord(each, condition)),
    ),
  });
}

/** The ports that the configuration forwards to whoever holds these addresses. */
export function forwardedPorts(
  forwards: readonly StaticForward[],
  addresses: readonly Prefix[],
): PortRecord[] {
  const mine = forwards.filter(({ to }) => addresses.some(({ address }) => sameAddress(address, to)));
  return mine.map(({ hostIp, to, ...port }) => ({
    ...port,
    ...(hostIp ? { hostIp: formatAddress(hostIp) } : {}),
    to: formatAddress(to),
  }));
}

/** The public addresses that are those of whoever holds these addresses. */
export function ownPairs(nat: NatDetail | undefined, addresses: readonly Prefix[]): PublicAddress[] {
  const pairs = (nat?.oneToOne ?? []).map((pair) => ({
    public: parseAddress(pair.public),
    container: parseAddress(pair.container),
    ...(pair.answeredOn ? { answeredOn: pair.answeredOn } : {}),
  }));
  return pairs.filter(({ container }) => addresses.some(({ address }) => sameAddress(address, container)));
}

export type Leaving = Required<Pick<AttachmentRules, 'masquerade' | 'sources' | 'oneToOne'>>;

/** How what the container sends leaves the network. An address of the host counts also where nothing is masqueraded. */
export function leavingOf(
  { masquerade, nat, ndpProxy }: BridgeNatDetail,
  addresses: readonly Prefix[],
): Leaving {
  const oneToOne = ownPairs(nat, addresses);
  const sources = (nat?.sources ?? []).map(parseAddress);
  const mine = addresses
    .map(({ address }) => address)
    .filter((address) => !oneToOne.some(({ container }) => sameAddress(container, address)));
  const sourceFor = ({ family }: Address): Address | undefined =>
    sources.find((source) => source.family === family);
  // What neighbours of the uplink reach by itself is seen by itself there.
  const isMeant = ({ family }: Address): boolean =>
    (nat?.family ?? family) === family && (family === 4 || ndpProxy === undefined);
  const isMasqueraded = (address: Address): boolean =>
    masquerade && sourceFor(address) === undefined && isMeant(address);
  const masqueraded = mine.filter(isMasqueraded);
  const behind = nat?.uplinks ? { uplinks: nat.uplinks } : undefined;
  return {
    masquerade: behind ? [] : masqueraded,
    sources: [
      ...mine.flatMap((address) => {
        const to = sourceFor(address);
        return to ? [{ address, to, ...behind }] : [];
      }),
      ...(behind ? masqueraded.map((address) => ({ address, ...behind })) : []),
    ],
    oneToOne: oneToOne.map((pair) => ({ public: pair.public, container: pair.container })),
  };
}

export function redirectedSourceOf(nat: NatDetail | undefined): Pick<NetworkRules, 'redirectedSource'> {
  return nat?.redirectedSource ? { redirectedSource: nat.redirectedSource } : {};
}

/** A condition on another address than the port's is one on none: it would be in the way of that address's own. */
function narrowed({ destination, ...rest }: Circumstance, hostIp: Address | undefined): Circumstance[] {
  if (destination === undefined) return [rest];
  if (hostIp === undefined) return [{ ...rest, destination }];
  const within = destination.first.value <= hostIp.value && hostIp.value <= destination.last.value;
  return within ? [rest] : [];
}

/** What packets to a published port have to be like, which the configuration itself does not forward. */
export function conditionsFor(
  nat: NatDetail | undefined,
  family: Family,
  hostIp: Address | undefined,
): Pick<PortForward, 'only'> {
  const mine = (nat?.conditions ?? []).filter((condition) => condition.family === family);
  if (mine.length === 0) return {};
  const only = mine.flatMap(({ source, destination, ifname }) =>
    narrowed(
      {
        ...(source ? { source: parseSpan(source) } : {}),
        ...(destination ? { destination: parseSpan(destination) } : {}),
        ...(ifname === undefined ? {} : { ifname }),
      },
      hostIp,
    ),
  );
  return { only };
}
