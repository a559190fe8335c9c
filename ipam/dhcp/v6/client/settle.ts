/** What is held once a server has answered (RFC 9915, section 18.2.10.1). */
import { parseAddress, parsePrefix, prefixContains } from '../../../../lib/base/ip.ts';
import type { LeasedAddress6, LeasedDns } from '../../lease.ts';
import type { Message6 } from '../message.ts';
import { SUCCESS } from '../options/status-code.ts';
import type { HeldLease, HeldPrefix } from './data.ts';
import { liveParts } from './grants.ts';
import type { Grant, GrantedPart } from './grants.ts';
import { rebased, seconds, termsOf, validity } from './lifetimes.ts';

const MULTICAST = parsePrefix('ff00::/8');

/** Resolvers that can be one, and search domains. */
export function dnsOf({ options }: Message6): LeasedDns {
  const nameservers = (options.dnsServers ?? []).filter((text) => {
    const address = parseAddress(text);
    return address.value > 1n && !prefixContains(MULTICAST, address);
  });
  return { nameservers, search: options.domainList ?? [] };
}

export interface Answer {
  readonly message: Message6;
  /** Its DUID, and where it answered from. */
  readonly server: string;
  readonly serverAddress: string;
  /** When the question was sent: milliseconds since boot. */
  readonly since: number;
  readonly grants: readonly Grant[];
  /** The grants replace what is held of their associations; otherwise what they leave out goes on as it was. */
  readonly anew: boolean;
}

function timesOf({ preferred, valid }: GrantedPart): { preferredFor?: number; validFor?: number } {
  const preferredFor = seconds(preferred);
  const validFor = seconds(valid);
  return {
    ...(preferredFor !== undefined && { preferredFor }),
    ...(validFor !== undefined && { validFor }),
  };
}

/** What of the old parts of an association goes on. */
function keeps(grant: Grant | undefined, anew: boolean, text: string): boolean {
  if (grant === undefined) return true;
  if (anew) return false;
  return grant.status !== SUCCESS || grant.parts.every((part) => part.text !== text);
}

function isOver({ validFor }: { readonly validFor?: number }): boolean {
  return validFor === 0;
}

function addressesAfter(held: HeldLease | undefined, answer: Answer): LeasedAddress6[] {
  const grant = answer.grants.find(({ kind }) => kind === 'IA_NA');
  const old = (held?.addresses ?? []).filter(({ address }) => keeps(grant, answer.anew, address));
  const kept = old.map((part) => rebased(part, held?.since ?? 0, answer.since));
  const live = grant ? liveParts(grant) : [];
  const fresh = live.map((part) => ({ address: part.text, ...timesOf(part) }));
  return [...fresh, ...kept].filter((part) => !isOver(part));
}

function prefixesAfter(held: HeldLease | undefined, answer: Answer): HeldPrefix[] {
  const grants = answer.grants.filter(({ kind }) => kind === 'IA_PD');
  const of = (iaid: number): Grant | undefined => grants.find((grant) => grant.iaid === iaid);
  const old = (held?.prefixes ?? []).filter(({ prefix, iaid }) => keeps(of(iaid), answer.anew, prefix));
  const kept = old.map((part) => rebased(part, held?.since ?? 0, answer.since));
  const fresh = grants.flatMap((grant) =>
    liveParts(grant).map((part) => ({ prefix: part.text, iaid: grant.iaid, ...timesOf(part) })),
  );
  return [...fresh, ...kept].filter((part) => !isOver(part));
}

/** The earliest T1 and T2: everything is renewed at once (section 18.2.4). */
function renewal(grants: readonly Grant[], parts: readonly LeasedAddress6[]) {
  const granting = grants.filter((grant) => liveParts(grant).length > 0);
  const each = granting.map((grant) =>
    termsOf({ ...grant, parts: liveParts(grant).map((part) => ({ address: part.text, ...timesOf(part) })) }),
  );
  const terms = each.length > 0 ? each : [termsOf({ t1: 0, t2: 0, parts })];
  const renewAfter = Math.min(...terms.map((times) => times.renewAfter));
  const rebindAfter = Math.min(...terms.map((times) => times.rebindAfter));
  return {
    ...(Number.isFinite(renewAfter) && { renewAfter }),
    ...(Number.isFinite(rebindAfter) && { rebindAfter }),
  };
}

/** undefined when nothing is left. */
export function settle(held: HeldLease | undefined, answer: Answer): HeldLease | undefined {
  const addresses = addressesAfter(held, answer);
  const prefixes = prefixesAfter(held, answer);
  const parts = [...addresses, ...prefixes.map(({ prefix, ...times }) => ({ address: prefix, ...times }))];
  if (parts.length === 0) return undefined;
  return {
    server: answer.server,
    serverAddress: answer.serverAddress,
    since: answer.since,
    ...renewal(answer.grants, parts),
    ...validity(parts),
    addresses,
    prefixes,
    dns: dnsOf(answer.message),
  };
}
