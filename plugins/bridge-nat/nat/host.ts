/**
 * What of the translation only the host can tell: whether the addresses are its own, and who answers for the others.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { formatAddress, formatPrefix, isLinkLocal, sameAddress } from '../../../lib/base/ip.ts';
import type { Address } from '../../../lib/base/ip.ts';
import type { PortMapping } from '../../../lib/cni/port-mappings.ts';
import type { Sockets } from '../../../lib/mooring/host.ts';
import { IFAPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { listAddresses } from '../../../lib/netlink/address.ts';
import { findLink } from '../../../lib/netlink/link.ts';
import { listRoutes } from '../../../lib/netlink/route.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import type { BridgeNatRecord } from '../detail.ts';
import type { NatConfig } from './config.ts';
import type { PublicAddress } from './mappings.ts';

/** `reached`: by which others reach the host; neither loopback, nor of a link, nor of a bridge of ours. */
function ownAddresses(route: NetlinkSocket): { all: Address[]; reached: Address[] } {
  const there = listAddresses(route, 0);
  const reached = there.filter(
    ({ scope, protocol, prefix }) =>
      scope === 0 && protocol !== IFAPROT_NETMOOR && !isLinkLocal(prefix.address),
  );
  const addresses = (list: typeof there): Address[] => list.map(({ prefix }) => prefix.address);
  return { all: addresses(there), reached: addresses(reached) };
}

function refuseForeignSources({ sources }: NatConfig, reached: readonly Address[]): void {
  const foreign = sources.find((source) => !reached.some((address) => sameAddress(address, source)));
  if (foreign === undefined) return;
  const key = `snat.ipv${foreign.family}`;
  throw new NetmoorError(
    'bad-config',
    `${key}: ${formatAddress(foreign)} is not an address by which this host is reached: answers would not come back`,
    'give it to an interface of the host (ip address add), or name one that it has',
  );
}

/** Given away whole, the host's only address would leave nobody a way to the host itself. */
function refuseLastAddress({ public: address }: PublicAddress, reached: readonly Address[]): void {
  const others = reached.filter((other) => other.family === address.family && !sameAddress(other, address));
  if (others.length > 0) return;
  throw new NetmoorError(
    'bad-config',
    `oneToOne: ${formatAddress(address)} is the only IPv${address.family} address of this host, ` +
      'which could not be reached itself any more',
    'give the host another address, or publish single ports of this one ("forwards")',
  );
}

/** The host's own way out would be answered for by the host, and everybody else's on that link. */
function refuseRouter(route: NetlinkSocket, { public: address }: PublicAddress): void {
  const through = listRoutes(route, address.family).find(
    ({ gateway }) => gateway !== undefined && sameAddress(gateway, address),
  );
  if (through === undefined) return;
  const link = findLink(route, through.interface ?? 0)?.name ?? `interface #${through.interface}`;
  throw new NetmoorError(
    'bad-config',
    `oneToOne: ${formatAddress(address)} is the router by which this host reaches ` +
      `${formatPrefix(through.destination)} (${link})`,
    'name an address that nobody has',
  );
}

/** The pair, with the interfaces to answer on when the host has not got the address itself. */
function placed(
  route: NetlinkSocket,
  pair: PublicAddress,
  { uplinks }: NatConfig,
  own: { readonly all: readonly Address[]; readonly reached: readonly Address[] },
): PublicAddress {
  const text = formatAddress(pair.public);
  if (own.reached.some((address) => sameAddress(address, pair.public))) {
    refuseLastAddress(pair, own.reached);
    return pair;
  }
  if (own.all.some((address) => sameAddress(address, pair.public)))
    throw new NetmoorError(
      'bad-config',
      `oneToOne: by ${text} this host is not reached from outside`,
      'name another address',
    );
  refuseRouter(route, pair);
  if (uplinks === undefined)
    throw new NetmoorError(
      'bad-config',
      `oneToOne: ${text} is not an address of this host`,
      'give it to an interface of the host, or name the "uplink" on which the host is to answer for it',
    );
  const missing = uplinks.find((name) => !findLink(route, name));
  if (missing !== undefined)
    throw new NetmoorError(
      'bad-config',
      `uplink: there is no interface ${missing} to answer for ${text} on`,
      'name an interface that is there',
    );
  return { ...pair, answeredOn: uplinks };
}

/** Loopback is the host's as a whole. */
function isOn(own: readonly Address[], wanted: Address): boolean {
  const { family, value } = wanted;
  if (value === 0n || (family === 4 && value >> 24n === 127n)) return true;
  return own.some((address) => sameAddress(address, wanted));
}

/** What has to be said of the ports that the runtime asks for. */
export function notesOnPorts(route: NetlinkSocket, mappings: readonly PortMapping[]): string[] {
  const named = mappings.flatMap(({ hostIp, hostPort }) => (hostIp ? [{ hostIp, hostPort }] : []));
  if (named.length === 0) return [];
  const own = ownAddresses(route).all;
  return named
    .filter(({ hostIp }) => !isOn(own, hostIp))
    .map(
      ({ hostIp, hostPort }) =>
        `port ${hostPort} is published on ${formatAddress(hostIp)}, which is not an address of this host: ` +
        'nothing reaches it until it is',
    );
}

function notesOn(
  route: NetlinkSocket,
  { forwards, uplinks = [] }: NatConfig,
  own: readonly Address[],
): string[] {
  const elsewhere = forwards.flatMap(({ hostIp }) => (hostIp && !isOn(own, hostIp) ? [hostIp] : []));
  return [
    ...[...new Set(elsewhere.map(formatAddress))].map(
      (text) => `forwards: ${text} is not an address of this host: nothing reaches it until it is`,
    ),
    ...uplinks
      .filter((name) => !findLink(route, name))
      .map((name) => `uplink: there is no interface ${name}: nothing is translated behind it until there is`),
  ];
}

/** Completes the configuration from the host. Throws NetmoorError('bad-config') naming an address that is not its. */
export function placeOnHost(route: NetlinkSocket, nat: NatConfig): NatConfig {
  const own = ownAddresses(route);
  refuseForeignSources(nat, own.reached);
  return {
    ...nat,
    oneToOne: nat.oneToOne.map((pair) => placed(route, pair, nat, own)),
    notes: [...nat.notes, ...notesOn(route, nat, own.all)],
  };
}

/** Whether the addresses that the container leaves by are the host's still. */
export function verifySources({ route }: Sockets, { detail: { nat } }: BridgeNatRecord): string[] {
  const { sources = [] } = nat ?? {};
  if (sources.length === 0) return [];
  const own = listAddresses(route, 0).map(({ prefix }) => formatAddress(prefix.address));
  const gone = sources.filter((source) => !own.includes(source));
  return gone.map(
    (source) => `${source}, by which it leaves the network, is not an address of this host any more`,
  );
}
