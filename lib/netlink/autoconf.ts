/**
 * Stateless address autoconfiguration as the kernel does it (RFC 4862): waiting for what routers give an interface, by
 * notifications and never by sleeping.
 */
import { formatPrefix, parseAddress } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { decodeAddress, listAddresses } from './address.ts';
import type { InterfaceAddress } from './address.ts';
import { DecodeError } from './attributes.ts';
import { findInet6 } from './inet6.ts';
import { decodeNdOption } from './nd-option.ts';
import type { NdOption } from './nd-option.ts';
import { listRoutes } from './route.ts';
import type { Route } from './route.ts';
import type { NetlinkMessage, NetlinkSocket } from './socket.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_OPTIMISTIC,
  IFA_F_PERMANENT,
  IFA_F_STABLE_PRIVACY,
  IFA_F_TENTATIVE,
  IF_RA_MANAGED,
  IF_RA_RCVD,
  RTM_DELADDR,
  RTM_NEWNDUSEROPT,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_IFINFO,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_ND_USEROPT,
  RTPROT_RA,
  RT_TABLE_MAIN,
} from './uapi.ts';
import { openWatch } from './watch.ts';

/** What routers have said so far, and what came of it. */
export interface Autoconfigured {
  /** Some router has been heard. */
  readonly heard: boolean;
  /** It wants addresses to be asked of a DHCPv6 server (the M flag). */
  readonly managed: boolean;
  /** Made of the routers' prefixes, ready to be used. */
  readonly addresses: readonly InterfaceAddress[];
  /** Link-local, ready to be used. */
  readonly linkLocal: readonly InterfaceAddress[];
  /** Somebody else has these. */
  readonly duplicate: readonly InterfaceAddress[];
  /** Routers can be asked: there is a link-local address, or one that may turn out to be another's. */
  readonly canAsk: boolean;
  /** Some are being looked for still. */
  readonly pending: boolean;
  /** Default routes. */
  readonly routes: readonly Route[];
  readonly servers: readonly Address[];
  readonly domains: readonly string[];
  /** IPv6 MTU of the link, when a router tells it. */
  readonly mtu: number | undefined;
}

/** In the calling thread's namespace; to be opened before the interface is raised. */
export function openAutoconfWatch(): NetlinkSocket {
  return openWatch([RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_IFINFO, RTNLGRP_IPV6_ROUTE, RTNLGRP_ND_USEROPT]);
}

const SCOPE_GLOBAL = 0;
const SCOPE_LINK = 253;

/** Routers can say as much as they like: so many name servers and domains are remembered (MAXNS of resolv.conf is 3). */
const MOST_OPTIONS = 16;

/**
 * How long nothing must have been told: one advertisement has been read to its end then, and on most LANs whoever has
 * an address that was taken optimistically has said so, which the kernel heeds within 1 ms.
 */
const GRACE_MS = 5;

const DETECTION = IFA_F_TENTATIVE | IFA_F_DADFAILED;

function isUsable({ flags }: InterfaceAddress, strict: boolean): boolean {
  if ((flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) !== 0) return false;
  return (flags & IFA_F_TENTATIVE) === 0 || (!strict && (flags & IFA_F_OPTIMISTIC) !== 0);
}

/** Of a fixed interface identifier nothing else will come; the kernel tries another one by itself for RFC 7217. */
function isLost({ flags }: InterfaceAddress): boolean {
  return (flags & IFA_F_DADFAILED) !== 0 && (flags & IFA_F_STABLE_PRIVACY) === 0;
}

/** What notifications tell, and nothing but they. */
interface Heard {
  readonly servers: Address[];
  readonly domains: string[];
  /** By text, of what the kernel has taken away again since somebody else has it. */
  readonly lost: Map<string, InterfaceAddress>;
  /** A router has told something of the link. */
  told: boolean;
}

/** A lifetime of zero takes back what was said before (RFC 8106, sections 5.1 and 5.2). */
function remember<T>(list: T[], items: readonly T[], lifetime: number, same: (a: T, b: T) => boolean): void {
  for (const item of items) {
    const at = list.findIndex((other) => same(item, other));
    if (lifetime === 0) {
      if (at >= 0) list.splice(at, 1);
    } else if (at < 0 && list.length < MOST_OPTIONS) list.push(item);
  }
}

/** What cannot be read a router has made up: it is read over. */
function readOption(message: NetlinkMessage, index: number, heard: Heard): void {
  let option: NdOption;
  try {
    option = decodeNdOption(message);
  } catch (error) {
    if (error instanceof DecodeError) return;
    throw error;
  }
  if (option.index !== index) return;
  heard.told = true;
  const { rdnss, dnssl } = option;
  if (rdnss) remember(heard.servers, rdnss.servers, rdnss.lifetime, (a, b) => a.value === b.value);
  if (dnssl) remember(heard.domains, dnssl.domains, dnssl.lifetime, (a, b) => a === b);
}

function readMessages(messages: readonly NetlinkMessage[], index: number, heard: Heard): void {
  for (const message of messages) {
    if (message.type === RTM_NEWNDUSEROPT) readOption(message, index, heard);
    if (message.type !== RTM_DELADDR) continue;
    const address = decodeAddress(message);
    if (address.index === index && isLost(address)) heard.lost.set(formatPrefix(address.prefix), address);
  }
}

function look(route: NetlinkSocket, index: number, strict: boolean, heard: Heard): Autoconfigured {
  const inet6 = findInet6(route, index);
  const own = listAddresses(route, index).filter(({ prefix }) => prefix.address.family === 6);
  const made = own.filter(({ scope, flags }) => scope === SCOPE_GLOBAL && (flags & IFA_F_PERMANENT) === 0);
  const linkLocal = own.filter(({ scope }) => scope === SCOPE_LINK);
  const routes = listRoutes(route, 6).filter(
    ({ interface: out, protocol, destination, table }) =>
      out === index && protocol === RTPROT_RA && destination.length === 0 && table === RT_TABLE_MAIN,
  );
  const flags = inet6?.flags ?? 0;
  return {
    // The flag is set only where the kernel itself has asked for routers.
    heard: (flags & IF_RA_RCVD) !== 0 || heard.told || made.length > 0 || routes.length > 0,
    managed: (flags & IF_RA_MANAGED) !== 0,
    addresses: made.filter((address) => isUsable(address, strict)),
    linkLocal: linkLocal.filter((address) => isUsable(address, strict)),
    canAsk: linkLocal.some((address) => isUsable(address, false)),
    duplicate: [...own.filter(isLost), ...heard.lost.values()],
    pending: own.some(({ flags: each }) => (each & DETECTION) === IFA_F_TENTATIVE) && strict,
    routes,
    servers: heard.servers,
    domains: heard.domains,
    mtu: inet6?.raMtu,
  };
}

export interface AutoconfWanted {
  readonly index: number;
  /** An address that is still being looked for is not yet usable, even if the kernel would let it be (RFC 4429). */
  readonly strict: boolean;
  /** Asks for routers; called once, when the link has an address to do so from. */
  readonly solicit: () => void;
  readonly milliseconds: number;
}

/**
 * Waits until a router has been heard and an address made of what it says can be used, or until somebody else is found
 * to have one, or until the time is over; returns what there is then. `notifications`: of openAutoconfWatch() in the
 * link's namespace; `route`: another socket there.
 */
export function untilAutoconfigured(
  { route, notifications }: { readonly route: NetlinkSocket; readonly notifications: NetlinkSocket },
  { index, strict, solicit, milliseconds }: AutoconfWanted,
  now: () => number,
): Autoconfigured {
  const heard: Heard = { servers: [], domains: [], lost: new Map(), told: false };
  const deadline = now() + milliseconds;
  let solicited = false;
  for (;;) {
    const found = look(route, index, strict, heard);
    if (!solicited && found.canAsk) {
      solicited = true;
      solicit();
    }
    const done = found.duplicate.length > 0 || (found.addresses.length > 0 && !found.pending);
    const left = deadline - now();
    const patience = done ? Math.min(GRACE_MS, left) : left;
    if (patience <= 0) return found;
    const messages = notifications.awaitMessages(patience, 'wait for a router');
    if (messages === undefined && done) return found;
    if (messages !== undefined && messages !== 'lost') readMessages(messages, index, heard);
  }
}

/** Whether an address is of the kind that is always there, whatever routers say. */
export function isLinkLocal({ value }: Address): boolean {
  return value >> 118n === parseAddress('fe80::').value >> 118n;
}
