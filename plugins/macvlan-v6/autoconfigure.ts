/** What the LAN's routers give, put into the result and on record (RFC 4862, RFC 8106). */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import type { Found } from '../../lib/mooring/kind.ts';
import { ROUTER_MS, askRouters, dnsBy, routesBy } from '../../lib/mooring/routers.ts';
import { subnetsOf } from '../../lib/mooring/routes.ts';
import type { InterfaceAddress } from '../../lib/netlink/address.ts';
import { untilAutoconfigured } from '../../lib/netlink/autoconf.ts';
import type { Advertised, Autoconfigured } from '../../lib/netlink/autoconf.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { MacvlanConfig } from './config.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import type { Made, Work } from './work.ts';

function refuseDuplicate({ duplicate: [first] }: Autoconfigured): void {
  if (first === undefined) return;
  const address = formatAddress(first.prefix.address);
  throw new NetmoorError(
    'address-taken',
    `somebody else on the network has ${address}`,
    'find who it is; another "mac" or "interfaceIdentifier", or "stable-privacy", gives another address',
  );
}

/** What the router has announced, and why no address came of it. */
function whyNone({ prefixes: [first], onLink, managed }: Autoconfigured): { why: string; advice: string } {
  const advice =
    'let the router announce a prefix of length 64 for autoconfiguration, or give the network a pool';
  const odd = onLink.find(({ length }) => length !== 64);
  if (odd !== undefined)
    return { why: `prefix ${formatPrefix(odd)} is of length ${odd.length}, not 64`, advice };
  if (first === undefined && managed)
    return { why: 'it wants addresses to be asked of a DHCPv6 server', advice };
  if (first === undefined) return { why: 'it announces no prefix of length 64', advice };
  const text = formatPrefix(first.prefix);
  return first.autonomous
    ? { why: `prefix ${text} is deprecated, or nobody could tell whether its address is free`, advice }
    : { why: `prefix ${text} is not for autoconfiguration (AdvAutonomous is off)`, advice };
}

/** Why there is no address, of which the first reason that fits is the right one. */
function refuseLack(found: Autoconfigured, { master, timeout }: MacvlanConfig): never {
  const seconds = `${timeout / 1000} s`;
  if (!found.heard) {
    throw new NetmoorError(
      'not-available',
      `no router has answered on ${master} within ${seconds}`,
      'is there one that advertises (radvd, the LAN\'s router)? "timeout" waits longer, "allowLinkLocalOnly" goes on without, "addressing" can be "pool" or "none"',
    );
  }
  const { why, advice } = whyNone(found);
  throw new NetmoorError(
    'not-available',
    `a router has answered on ${master}, but no address came of it within ${seconds}: ${why}`,
    advice,
  );
}

function recordOf({ prefix }: InterfaceAddress, gateway: Address | undefined): AddressRecord {
  const address = formatPrefix(prefix);
  return gateway === undefined ? { address } : { address, gateway: formatAddress(gateway) };
}

/** What was done before this, and how it is listened for the rest. */
export interface Listening {
  /** Of openAutoconfWatch(), opened before the interface was raised. */
  readonly notifications: NetlinkSocket;
  readonly heard: Advertised;
}

function listenFor(
  { host, request, sandbox }: Work,
  { link }: Made,
  { notifications, heard }: Listening,
  until: 'address' | 'word',
  milliseconds: number,
): Autoconfigured {
  const wanted = {
    index: link.index,
    until,
    strict: request.config.dad === 'strict',
    solicit: () => askRouters(request.netns, link),
    milliseconds,
  };
  const found = untilAutoconfigured(
    { route: sandbox.route, notifications },
    wanted,
    host.world.monotonic,
    heard,
  );
  refuseDuplicate(found);
  return found;
}

/**
 * Waits for a router to say how addresses come about. Throws NetmoorError 'not-available' or 'address-taken'.
 */
export function instructions(work: Work, made: Made, listening: Listening): Autoconfigured {
  const { config } = work.request;
  const found = listenFor(work, made, listening, 'word', config.timeout);
  if (!found.heard && !config.allowLinkLocalOnly) refuseLack(found, config);
  return found;
}

/** Whether the kernel makes an address of what a router has announced (RFC 4862, section 5.5.3). */
export function isAutonomous({ prefixes }: Autoconfigured): boolean {
  return prefixes.some(({ prefix, autonomous }) => autonomous && prefix.length === 64);
}

/** Where addresses come of servers, for the way out alone: without a router there is none, and it goes on. */
export function wayOut(work: Work, made: Made, listening: Listening): Autoconfigured {
  return listenFor(work, made, listening, 'word', ROUTER_MS);
}

/** Waits for addresses by what routers say. Throws NetmoorError 'not-available' or 'address-taken'. */
export function autoconfigure(work: Work, made: Made, listening: Listening): Autoconfigured {
  const { config } = work.request;
  const found = listenFor(work, made, listening, 'address', config.timeout);
  if (found.addresses.length === 0 && !config.allowLinkLocalOnly) refuseLack(found, config);
  return found;
}

/** The record with what routers gave, and what of their word is for the result alone. `bare`: none but link-local. */
export function foundBy(
  { request: { config } }: Work,
  { link }: Made,
  { addresses: others, detail }: MacvlanRecord,
  found: Autoconfigured,
  bare: boolean,
): Found<MacvlanDetail> {
  const made = found.addresses.length > 0 || !bare ? found.addresses : found.linkLocal;
  const obtained = config.slaac ? made.map((each) => recordOf(each, found.routes[0]?.gateway)) : [];
  const addresses = [...others, ...obtained];
  const [linkLocal] = found.linkLocal;
  return {
    addresses,
    detail: {
      ...detail,
      subnets: subnetsOf(addresses),
      autoconfigured: obtained.map(({ address }) => address),
      ...(config.slaac && config.identifier === 'stable-privacy' && linkLocal
        ? { linkLocal: formatAddress(linkLocal.prefix.address) }
        : {}),
    },
    routes: routesBy(found, link),
    dns: dnsBy(found),
  };
}
