/**
 * Stateless address autoconfiguration as the kernel does it (RFC 4862): waiting for what routers give an interface, by
 * notifications and never by sleeping.
 */
import { NetmoorError } from '../base/errors.ts';
import type { Address, Prefix } from '../base/ip.ts';
import { listAddresses } from './address.ts';
import type { InterfaceAddress } from './address.ts';
import { MOST_REMEMBERED, hear, nothingAdvertised } from './advertised.ts';
import type { Advertised } from './advertised.ts';
import type { AnnouncedPrefix } from './announced-prefix.ts';
import { findInet6 } from './inet6.ts';
import { ICMPV6_ROUTER_PREF_LOW, ICMPV6_ROUTER_PREF_MEDIUM, listRoutes } from './route.ts';
import type { Route, RouteState } from './route.ts';
import type { NetlinkSocket } from './socket.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  IF_RA_MANAGED,
  IF_RA_OTHERCONF,
  IF_RA_RCVD,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_IFINFO,
  RTNLGRP_IPV6_PREFIX,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_ND_USEROPT,
  RTPROT_KERNEL,
  RTPROT_RA,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
} from './uapi.ts';
import { openWatch } from './watch.ts';

/** What routers have said so far, and what came of it. */
export interface Autoconfigured {
  /** Some router has been heard. */
  readonly heard: boolean;
  /** It wants addresses to be asked of a DHCPv6 server (the M flag). */
  readonly managed: boolean;
  /** It wants all else to be asked of one (the O flag). */
  readonly otherConfig: boolean;
  /** Made of the routers' prefixes, ready to be used. */
  readonly addresses: readonly InterfaceAddress[];
  /** Link-local, ready to be used. */
  readonly linkLocal: readonly InterfaceAddress[];
  /** Somebody else has these, and nothing will come in their place. */
  readonly duplicate: readonly InterfaceAddress[];
  /** Somebody else has these; of some the kernel has made, or is about to make, another one. */
  readonly conflicts: readonly InterfaceAddress[];
  /** Routers can be asked: there is a link-local address, or one that may turn out to be another's. */
  readonly canAsk: boolean;
  /** Some are being looked for still. */
  readonly pending: boolean;
  /** Default routes, the first MOST_REMEMBERED of them; preferred ones before others (RFC 4191). */
  readonly routes: readonly Route[];
  readonly servers: readonly Address[];
  readonly domains: readonly string[];
  /** All that were announced, also those that no address can be made of. */
  readonly prefixes: readonly AnnouncedPrefix[];
  /** Said to be on the link; of those of another length than 64 the kernel tells only by their routes. */
  readonly onLink: readonly Prefix[];
  /** MTU that a router tells, which is not heeded in any case (RFC 4861, section 6.3.4). */
  readonly mtu: number | undefined;
}

/** In the calling thread's namespace; to be opened before the interface is raised. */
export function openAutoconfWatch(): NetlinkSocket {
  return openWatch([
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_IFINFO,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV6_PREFIX,
    RTNLGRP_ND_USEROPT,
  ]);
}

const DETECTION = IFA_F_TENTATIVE | IFA_F_DADFAILED;

function isUsable({ flags }: InterfaceAddress, strict: boolean): boolean {
  if ((flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) !== 0) return false;
  return (flags & IFA_F_TENTATIVE) === 0 || (!strict && (flags & IFA_F_OPTIMISTIC) !== 0);
}

/** Of a fixed interface identifier nothing else will come; the kernel tries another one by itself for RFC 7217. */
function isFinal({ flags }: InterfaceAddress): boolean {
  return (flags & IFA_F_STABLE_PRIVACY) === 0;
}

/** The value is of two bits, and signed (RFC 4191, section 2.1). */
function rankOf({ preference = ICMPV6_ROUTER_PREF_MEDIUM }: RouteState): number {
  return preference === ICMPV6_ROUTER_PREF_LOW ? -1 : preference;
}

function look(route: NetlinkSocket, index: number, strict: boolean, heard: Advertised): Autoconfigured {
  const inet6 = findInet6(route, index);
  const own = listAddresses(route, index).filter(({ prefix }) => prefix.address.family === 6);
  const made = own.filter(
    ({ scope, flags }) => scope === RT_SCOPE_UNIVERSE && (flags & IFA_F_PERMANENT) === 0,
  );
  const linkLocal = own.filter(({ scope }) => scope === RT_SCOPE_LINK);
  const failed = own.filter(({ flags }) => (flags & IFA_F_DADFAILED) !== 0);
  const conflicts = [...failed, ...heard.lost.values()];
  const all = listRoutes(route, 6).filter(
    ({ interface: out, table }) => out === index && table === RT_TABLE_MAIN,
  );
  const routes = all
    .filter(({ protocol, destination }) => protocol === RTPROT_RA && destination.length === 0)
    .sort((a, b) => rankOf(b) - rankOf(a));
  const onLink = all
    .filter(({ protocol, expires }) => protocol === RTPROT_KERNEL && expires !== undefined)
    .map(({ destination }) => destination);
  const flags = inet6?.flags ?? 0;
  const managed = (flags & IF_RA_MANAGED) !== 0;
  return {
    // IF_RA_RCVD is set only where the kernel itself has asked for routers.
    heard: (flags & IF_RA_RCVD) !== 0 || managed || heard.told || made.length > 0 || routes.length > 0,
    managed,
    otherConfig: (flags & IF_RA_OTHERCONF) !== 0,
    addresses: made.filter((address) => isUsable(address, strict)),
    linkLocal: linkLocal.filter((address) => isUsable(address, strict)),
    canAsk: linkLocal.some((address) => isUsable(address, false)),
    duplicate: conflicts.filter(isFinal),
    conflicts,
    pending: own.some(({ flags: each }) => (each & DETECTION) === IFA_F_TENTATIVE) && strict,
    routes: routes.slice(0, MOST_REMEMBERED),
    servers: heard.servers,
    domains: heard.domains,
    prefixes: heard.prefixes,
    onLink: onLink.slice(0, MOST_REMEMBERED),
    mtu: inet6?.raMtu,
  };
}

/** The same; undefined while so much is changing that no list of it can be had, as in a storm of advertisements. */
function glance(...what: Parameters<typeof look>): Autoconfigured | undefined {
  try {
    return look(...what);
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'try-again') return undefined;
    throw error;
  }
}

/** Time is over: what the kernel wanted to find something else for, and has not, counts as well. */
function atLast(found: Autoconfigured): Autoconfigured {
  const { addresses, linkLocal, conflicts } = found;
  if (addresses.length > 0) return found;
  return {
    ...found,
    duplicate: conflicts.filter(({ scope }) => scope !== RT_SCOPE_LINK || linkLocal.length === 0),
  };
}

export interface AutoconfWanted {
  readonly index: number;
  /** What is waited for: an address by what routers say, or only that one has spoken; default: an address. */
  readonly until?: 'address' | 'word';
  /** An address that is still being looked for is not yet usable, even if the kernel would let it be (RFC 4429). */
  readonly strict: boolean;
  /** Asks for routers, when the link has an address to do so from; false when it had none after all. */
  readonly solicit: () => boolean;
  readonly milliseconds: number;
}

/**
 * How long nothing must have been told: one advertisement has been read to its end then, and on most LANs whoever has
 * an address that was taken optimistically has said so, which the kernel heeds within 1 ms. Who never ceases to tell is
 * not waited for longer than the other.
 */
const GRACE_MS = 5;
const MOST_GRACE_MS = 250;
/** Questions to the routers beside those of the kernel: the first, and when notifications were lost. */
const QUESTIONS = 3;

export { nothingAdvertised };
export type { Advertised };

export interface AutoconfSockets {
  /** A socket in the link's namespace. */
  readonly route: NetlinkSocket;
  /** Of openAutoconfWatch() there. */
  readonly notifications: NetlinkSocket;
}

/**
 * Waits until a router has been heard and an address made of what it says can be used, or until somebody else is found
 * to have one, or until the time is over; returns what there is then. `heard`: what a call before this one was told.
 * Throws NetmoorError('try-again') when that cannot be told.
 */
export function untilAutoconfigured(
  { route, notifications }: AutoconfSockets,
  { index, until = 'address', strict, solicit, milliseconds }: AutoconfWanted,
  now: () => number,
  heard: Advertised = nothingAdvertised(),
): Autoconfigured {
  const deadline = now() + milliseconds;
  let settled = Number.POSITIVE_INFINITY;
  let questions = 0;
  let unanswered = true;
  let patience = GRACE_MS;
  for (;;) {
    const found = glance(route, index, strict, heard);
    const answered = until === 'word' && found?.heard === true;
    if (unanswered && !answered && questions < QUESTIONS && found?.canAsk && solicit()) {
      // An answer to the first comes with the address, one to a later one is all that is waited for.
      if (questions++ > 0) patience = MOST_GRACE_MS;
      unanswered = false;
    }
    const done =
      found !== undefined &&
      (found.duplicate.length > 0 || answered || (found.addresses.length > 0 && !found.pending));
    settled = done ? Math.min(settled, now() + MOST_GRACE_MS) : Number.POSITIVE_INFINITY;
    const left = Math.min(deadline, settled) - now();
    if (left <= 0) return atLast(found ?? look(route, index, strict, heard));
    const messages = notifications.awaitMessages(done ? Math.min(patience, left) : left, 'wait for a router');
    if (messages === undefined && done) return found;
    // What was lost with others only a router can repeat.
    if (messages === 'lost') unanswered = true;
    else if (messages !== undefined) {
      patience = GRACE_MS;
      hear(messages, index, heard);
    }
  }
}
