/**
 * What notifications tell of router advertisements, and nothing but they: the kernel keeps neither resolvers nor search
 * domains nor prefixes that it makes no address of, and forgets an address that somebody else has. Routers, and who
 * claims to be one, can say as much as they like: so much of it is remembered.
 */
import { formatPrefix, parsePrefix, prefixContains, sameAddress } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { decodeAddress } from './address.ts';
import type { InterfaceAddress } from './address.ts';
import { decodeAnnouncedPrefix } from './announced-prefix.ts';
import type { AnnouncedPrefix } from './announced-prefix.ts';
import { DecodeError } from './attributes.ts';
import { decodeNdOption } from './nd-option.ts';
import type { NetlinkMessage } from './socket.ts';
import { IFA_F_DADFAILED, RTM_DELADDR, RTM_NEWNDUSEROPT, RTM_NEWPREFIX } from './uapi.ts';

/** Of each kind; resolv.conf(5) has room for three name servers (MAXNS). */
export const MOST_REMEMBERED = 16;

export interface Advertised {
  readonly servers: Address[];
  readonly domains: string[];
  readonly prefixes: AnnouncedPrefix[];
  /** By text, of what the kernel has taken away again since somebody else has it. */
  readonly lost: Map<string, InterfaceAddress>;
  /** A router has told something of the link. */
  told: boolean;
}

export function nothingAdvertised(): Advertised {
  return { servers: [], domains: [], prefixes: [], lost: new Map(), told: false };
}

/** Unspecified, loopback, multicast: nobody who could be asked; a container would ask itself. */
const NO_SERVERS = ['::/127', 'ff00::/8', '::ffff:0:0/96'].map(parsePrefix);

function isServer(address: Address): boolean {
  return !NO_SERVERS.some((prefix) => prefixContains(prefix, address));
}

/** A lifetime of zero takes back what was said before (RFC 8106, sections 5.1 and 5.2). */
function remember<T>(list: T[], items: readonly T[], lifetime: number, same: (a: T, b: T) => boolean): void {
  for (const item of items) {
    const at = list.findIndex((other) => same(item, other));
    if (lifetime === 0) {
      if (at >= 0) list.splice(at, 1);
    } else if (at < 0 && list.length < MOST_REMEMBERED) list.push(item);
  }
}

function hearOption(message: NetlinkMessage, index: number, heard: Advertised): void {
  const option = decodeNdOption(message);
  if (option.index !== index) return;
  heard.told = true;
  const { rdnss, dnssl } = option;
  if (rdnss) remember(heard.servers, rdnss.servers.filter(isServer), rdnss.lifetime, sameAddress);
  if (dnssl) remember(heard.domains, dnssl.domains, dnssl.lifetime, (a, b) => a === b);
}

function hearPrefix(message: NetlinkMessage, index: number, heard: Advertised): void {
  const announced = decodeAnnouncedPrefix(message);
  if (announced.index !== index) return;
  heard.told = true;
  remember(heard.prefixes, [announced], 1, (a, b) => formatPrefix(a.prefix) === formatPrefix(b.prefix));
}

function hearRemoval(message: NetlinkMessage, index: number, { lost }: Advertised): void {
  const address = decodeAddress(message);
  if (address.index !== index || (address.flags & IFA_F_DADFAILED) === 0) return;
  if (lost.size < MOST_REMEMBERED) lost.set(formatPrefix(address.prefix), address);
}

const HEARERS = new Map([
  [RTM_NEWNDUSEROPT, hearOption],
  [RTM_NEWPREFIX, hearPrefix],
  [RTM_DELADDR, hearRemoval],
]);

/** Adds what notifications tell of the link `index`. What cannot be read a router has made up: it is read over. */
export function hear(messages: readonly NetlinkMessage[], index: number, heard: Advertised): void {
  for (const message of messages) {
    try {
      HEARERS.get(message.type)?.(message, index, heard);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
}
