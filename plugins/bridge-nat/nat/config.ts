/**
 * The keys of bridge-nat that say which addresses are translated to which: `snat`, `ipMasq` by family, `uplink`,
 * `forwards`, `oneToOne`, and portmap's. What cannot work is refused.
 */
import type { Address, Family } from '../../../lib/base/ip.ts';
import { interfaceNameProblem } from '../../../lib/cni/names.ts';
import { describeMapping } from '../../../lib/cni/port-mappings.ts';
import type { PortMapping } from '../../../lib/cni/port-mappings.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import type { Circumstance } from '../../../lib/nftables/rules.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import { readConditions } from './conditions.ts';
import { readForwards, readOneToOne } from './mappings.ts';
import type { PublicAddress, StaticForward } from './mappings.ts';
import { checkPlaces, knownOf, refuseTorn, refuseUnheld } from './places.ts';
import { readAddress, refuse } from './refuse.ts';

export interface NatConfig {
  /** Addresses of the host to leave by, at most one of a family. */
  readonly sources: readonly Address[];
  /** Undefined: all interfaces. */
  readonly uplinks: readonly string[] | undefined;
  readonly forwards: readonly StaticForward[];
  readonly oneToOne: readonly PublicAddress[];
  /** Of what comes to published ports; undefined: kept of strangers, ours of neighbours and loopback. */
  readonly redirectedSource: 'kept' | 'ours' | undefined;
  /** Undefined of a family: none. */
  readonly conditions: Readonly<Record<Family, readonly Circumstance[] | undefined>>;
  /** What was asked for and has no effect here. */
  readonly notes: readonly string[];
}

const FAMILIES = [
  ['ipv4', 4],
  ['ipv6', 6],
] as const;

/**
 * The families that are masqueraded; `byDefault`: those that are where the configuration does not say. (A network that
 * does without NAT of IPv6 by another key has 4 alone there.)
 */
export function masqueradedFamilies(
  { ipMasq }: BridgeNatInput,
  byDefault: readonly Family[],
): readonly Family[] {
  if (typeof ipMasq === 'boolean') return ipMasq ? [4, 6] : [];
  return FAMILIES.filter(([key, family]) => ipMasq?.[key] ?? byDefault.includes(family)).map(
    ([, family]) => family,
  );
}

function readSources({ snat, ipMasq, ndpProxy = false }: BridgeNatInput): Address[] {
  if (typeof snat !== 'object') return [];
  if (snat.ipv6 !== undefined && ndpProxy !== false)
    refuse(
      'snat.ipv6 and ndpProxy exclude each other: the one translates, the other does without',
      'remove one',
    );
  return FAMILIES.flatMap(([key, family]) => {
    const text = snat[key];
    if (text === undefined) return [];
    if (ipMasq === false || (typeof ipMasq === 'object' && ipMasq[key] === false))
      refuse(
        `snat.${key} is ${quote(text)}, but ipMasq says that nothing is translated`,
        'remove one of the two',
      );
    return [readAddress(`snat.${key}`, text, family)];
  });
}

function readUplinks({ uplink }: BridgeNatInput): string[] | undefined {
  if (uplink === undefined) return undefined;
  const names = [uplink].flat();
  for (const name of names) {
    const problem =
      interfaceNameProblem(name) ?? (name.endsWith('*') ? 'names are given in full' : undefined);
    if (problem !== undefined) refuse(`uplink: ${problem}`, 'name an interface of the host');
  }
  return [...new Set(names)];
}

/** As portmap's: with `snat` false, nothing is masqueraded, whatever `masqAll` says. */
function readRedirectedSource({ snat, masqAll }: BridgeNatInput): NatConfig['redirectedSource'] {
  if (snat === false) return 'kept';
  return masqAll ? 'ours' : undefined;
}

/** Of the keys that are portmap's alone; those of others: without-effect.ts. */
function notesOn({ snat, masqAll, markMasqBit, externalSetMarkChain }: BridgeNatInput): string[] {
  const unmarked = (key: string): string => `"${key}" has no effect: netmoor marks no packets`;
  return [
    ...(markMasqBit === undefined ? [] : [unmarked('markMasqBit')]),
    ...(externalSetMarkChain ? [unmarked('externalSetMarkChain')] : []),
    ...(snat === false && masqAll ? ['"masqAll" has no effect beside "snat": false'] : []),
  ];
}

function checkPortmap({ markMasqBit, externalSetMarkChain }: BridgeNatInput): void {
  if (markMasqBit !== undefined && externalSetMarkChain)
    refuse('externalSetMarkChain and markMasqBit exclude each other', 'remove one of the two');
}

function refuseWithoutAddresses(nat: NatConfig, ipam: IpamChoice): void {
  if (ipam.kind !== 'none') return;
  const { sources, uplinks, forwards, oneToOne } = nat;
  const asked = { snat: sources, uplink: uplinks ?? [], forwards, oneToOne };
  const [key] = Object.entries(asked).find(([, list]) => list.length > 0) ?? [];
  if (key)
    refuse(`${key}: the network has no addresses to translate`, `give it an "ipam", or remove "${key}"`);
}

const KEYS = [
  'snat',
  'masqAll',
  'uplink',
  'forwards',
  'oneToOne',
  'conditionsV4',
  'conditionsV6',
  'markMasqBit',
  'externalSetMarkChain',
] as const;

/** Undefined when none of the keys is there. Throws NetmoorError('bad-config'). */
export function readNat(input: BridgeNatInput, ipam: IpamChoice): NatConfig | undefined {
  if (KEYS.every((key) => input[key] === undefined)) return undefined;
  checkPortmap(input);
  const nat: NatConfig = {
    sources: readSources(input),
    uplinks: readUplinks(input),
    forwards: readForwards(input),
    oneToOne: readOneToOne(input),
    redirectedSource: readRedirectedSource(input),
    conditions: {
      4: readConditions('conditionsV4', input.conditionsV4),
      6: readConditions('conditionsV6', input.conditionsV6),
    },
    notes: notesOn(input),
  };
  refuseWithoutAddresses(nat, ipam);
  refuseTorn(nat);
  const known = knownOf(ipam);
  if (known) {
    checkPlaces(nat, known);
    refuseUnheld(nat, known);
  }
  return nat;
}

/** For one family, a packet to this address of the host fits some of the conditions, or there are none. */
export function isEverMet(conditions: NatConfig['conditions'], hostIp: Address): boolean {
  const all = conditions[hostIp.family];
  if (all === undefined || hostIp.value === 0n) return true;
  return all.some(
    ({ destination }) =>
      destination === undefined ||
      (destination.first.value <= hostIp.value && hostIp.value <= destination.last.value),
  );
}

/** A port whose address the conditions exclude would never be reached. */
export function checkConditions(nat: NatConfig | undefined, mappings: readonly PortMapping[]): void {
  if (nat === undefined) return;
  const never = mappings.find(({ hostIp }) => hostIp && !isEverMet(nat.conditions, hostIp));
  if (never)
    refuse(
      `port ${describeMapping(never)} is never reached: ` +
        `conditionsV${never.hostIp?.family} exclude its address`,
      'publish it on another address, or change the conditions',
    );
}
