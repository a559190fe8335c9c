/**
 * What the LAN gives beside what is known before: routers' addresses, DHCP servers' leases, both or either as routers
 * say, in the order in which nobody waits longer than need be.
 */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import { CODE_OF_KIND, DelegateError } from '../../lib/cni/errors.ts';
import { compactDns } from '../../lib/cni/result.ts';
import type { Dns } from '../../lib/cni/result.ts';

import type { DhcpAsk, Found, Leased } from '../../lib/mooring/kind.ts';
import { askRouters } from '../../lib/mooring/routers.ts';
import { kernelRoute, subnetsOf } from '../../lib/mooring/routes.ts';
import { configureInterface } from '../../lib/mooring/container-interface.ts';
import { nothingAdvertised } from '../../lib/netlink/autoconf.ts';
import type { Autoconfigured } from '../../lib/netlink/autoconf.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { autoconfigure, foundBy, instructions, isAutonomous, wayOut } from './autoconfigure.ts';
import type { Listening } from './autoconfigure.ts';
import type { MacvlanConfig } from './config.ts';
import { label } from './create.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import { guardAddresses } from './guard.ts';
import { interfaceWanted } from './wanted.ts';
import type { Made, Work } from './work.ts';

export interface Obtained {
  readonly found: Found<MacvlanDetail>;
  /** The record as far as the guard knows it. */
  readonly guarded: MacvlanRecord;
}

/** Milliseconds for a server that only has names to tell, where a router says that there is one. */
const NAMES_MS = 3_000;

/** What servers are to be asked, with what is asked instead when nobody answers that. */
function asksFor({ dhcp4, dhcp6 }: MacvlanConfig, told: Autoconfigured | undefined): DhcpAsk[] {
  const only4: DhcpAsk[] = dhcp4 ? [{ ip: 4 }] : [];
  const ip = dhcp4 ? 'both' : 6;
  if (dhcp6 === undefined) return only4;
  if (dhcp6 !== 'as-told') return [{ ip, stateless: dhcp6 === 'stateless' }];
  if (told?.managed) return [{ ip }];
  if (!told?.otherConfig) return only4;
  // Addresses there are without it: a host goes on.
  return [{ ip, stateless: true, ...(dhcp4 ? {} : { timeout: NAMES_MS }) }, ...only4];
}

function isUnanswered(error: unknown): boolean {
  if (error instanceof DelegateError) return error.code === CODE_OF_KIND['not-available'];
  return error instanceof NetmoorError && error.kind === 'not-available';
}

function leaseFirst({ host, request }: Work, asks: readonly DhcpAsk[], undo: UndoStack): Leased | undefined {
  const [ask, ...others] = asks;
  const { lessor } = request;
  if (ask === undefined || lessor === undefined) return undefined;
  try {
    return lessor.lease(ask, undo);
  } catch (error) {
    const dispensable = request.config.dhcp6 === 'as-told' && ask.stateless === true;
    if (!dispensable || !isUnanswered(error)) throw error;
    host.surroundings.note(`nothing but addresses is known: ${errorText(error)}`);
    return leaseFirst({ host, request } as Work, others, undo);
  }
}

function withLeased(record: MacvlanRecord, { addresses, routes = [] }: Leased): MacvlanRecord {
  const all = [...record.addresses, ...addresses];
  const detail = {
    ...record.detail,
    subnets: subnetsOf(all),
    routes: [...record.detail.routes, ...routes],
  };
  return { ...record, addresses: all, detail };
}

/** Guarded before it is on the interface, which asks at once whether anybody else has it. */
function install(
  work: Work,
  { link }: Made,
  record: MacvlanRecord,
  leased: Leased,
  undo: UndoStack,
): MacvlanRecord {
  const whole = withLeased(record, leased);
  if (leased.addresses.length === 0) return whole;
  label(work, whole, link);
  guardAddresses(work, record, whole);
  const addresses = prefixesOf({ addresses: leased.addresses });
  const routes = (leased.routes ?? []).map(kernelRoute);
  configureInterface(work.sandbox, { ...interfaceWanted(work), addresses, routes }, undo);
  return whole;
}

function bothDns(first: Dns, second: Dns): Dns {
  const joined = (a: readonly string[] = [], b: readonly string[] = []): string[] => [
    ...new Set([...a, ...b]),
  ];
  return compactDns({
    ...second,
    ...first,
    nameservers: joined(first.nameservers, second.nameservers),
    search: joined(first.search, second.search),
  });
}

/** What routers have made of it, once servers have been asked. */
function heardAfter(
  work: Work,
  made: Made,
  listening: Listening,
  told: Autoconfigured | undefined,
): Autoconfigured {
  const { slaac } = work.request.config;
  const serversAlone = told !== undefined && (told.managed ? !isAutonomous(told) : !told.heard);
  return slaac && !serversAlone ? autoconfigure(work, made, listening) : wayOut(work, made, listening);
}

/** Throws NetmoorError 'not-available' or 'address-taken', of servers' answers DelegateError. */
export function obtain(
  work: Work,
  made: Made,
  record: MacvlanRecord,
  notifications: NetlinkSocket | undefined,
  undo: UndoStack,
): Obtained {
  const { request } = work;
  const { config } = request;
  const listening = notifications && { notifications, heard: nothingAdvertised() };
  // The answer comes while servers are asked.
  if (listening && request.lessor) askRouters(request.netns, made.link);
  const told = listening && config.dhcp6 === 'as-told' ? instructions(work, made, listening) : undefined;
  const leased = leaseFirst(work, asksFor(config, told), undo);
  const guarded = leased ? install(work, made, record, leased, undo) : record;
  const { addresses, detail } = guarded;
  const dns = leased?.dns ?? {};
  const known = { leased: leased !== undefined };
  if (listening === undefined) return { found: { addresses, detail, routes: [], dns, ...known }, guarded };
  const bare = leased === undefined || leased.addresses.length === 0;
  const found = foundBy(work, made, guarded, heardAfter(work, made, listening, told), bare);
  return { found: { ...found, dns: bothDns(dns, found.dns), ...known }, guarded };
}
