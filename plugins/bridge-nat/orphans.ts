/** What bears the marks of bridge-nat in the kernel, and no record accounts for. */
import { formatAddress, formatPrefix, withoutLength } from '../../lib/base/ip.ts';
import { ALIAS, IFAPROT_NETMOOR } from '../../lib/mooring/marks.ts';
import type { Sockets } from '../../lib/mooring/host.ts';
import { parseLabel } from '../../lib/mooring/label.ts';
import { ownProxies, stopAnswering } from '../../lib/mooring/proxy.ts';
import type { Books, Orphan } from '../../lib/mooring/upkeep.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { listLinks } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { forwardedBridges, withdrawForwarding } from '../../lib/nftables/forward.ts';
import { releaseBridge } from './bridge/bridge.ts';
import { strayWays, tablesOf } from './egress/orphans.ts';
import { publicInUse, strayRoutes } from './nat/answering.ts';
import { isMember, keepsBridge, membersOn, unmark } from './bridge/member-ports.ts';
import { hostIfnameFor, ifbBeside, ifbNameFor, isHostIfname, isIfbName } from './names.ts';

interface Accounts {
  /** Names of bridges that containers, or networks whose bridge stays, use. */
  readonly bridges: ReadonlySet<string>;
  /** Names of the host's ends of veths, and of the IFBs beside them; indexes of those that may have been renamed. */
  readonly interfaces: ReadonlySet<string | number>;
}

/** What a living container is plugged into is in use, whether or not there is a record of it. */
export function bridgesInUse(links: readonly Link[]): string[] {
  const masters = new Set(links.filter(isPort).map(({ master }) => master));
  return links.filter(({ index }) => masters.has(index)).map(({ name }) => name);
}

function isPort({ kind, name }: Link): boolean {
  return kind === 'veth' && isHostIfname(name);
}

function accountsOf({ records, networks, living }: Books, links: readonly Link[]): Accounts {
  const spared = living === 'spare' ? links.filter(isPort) : [];
  return {
    bridges: new Set([
      ...[...records, ...networks].flatMap(({ segment }) => segment ?? []),
      ...(living === 'spare' ? bridgesInUse(links) : []),
    ]),
    interfaces: new Set([
      ...spared.flatMap(({ name }) => [name, ifbBeside(name)]),
      ...records.flatMap((record) => [
        record.hostIfname ?? hostIfnameFor(record),
        ...(record.hostIfindex === undefined ? [] : [record.hostIfindex]),
        ifbNameFor(record),
      ]),
    ]),
  };
}

function forwarding({ netfilter }: Sockets, { bridges }: Accounts): Orphan[] {
  const stray = forwardedBridges(netfilter).filter((bridge) => !bridges.has(bridge));
  return stray.map((bridge) => ({
    kind: 'forwarding',
    what: `the way through the host's firewall for bridge ${bridge}`,
    remove: () => withdrawForwarding(netfilter, bridge),
  }));
}

/** Veths, and the IFBs in which the traffic of limited ones waits. */
function strayInterfaces(links: readonly Link[], { interfaces }: Accounts, most: number): Link[] {
  const stray = links.filter(({ name, index, kind }) => {
    const ours = (kind === 'veth' && isHostIfname(name)) || (kind === 'ifb' && isIfbName(name));
    return ours && !interfaces.has(name) && !interfaces.has(index);
  });
  return stray.slice(0, most);
}

/** Bridges of ours that nothing else is plugged into, and addresses of ours on bridges of others. */
function strayBridges(
  { route }: Sockets,
  links: readonly Link[],
  going: readonly Link[],
  { bridges }: Accounts,
): Orphan[] {
  const unused = links.filter(({ name, kind }) => kind === 'bridge' && !bridges.has(name));
  const plugged = (bridge: Link): boolean =>
    links.some((link) => link.master === bridge.index && !going.includes(link) && keepsBridge(link));
  return unused.flatMap((bridge): Orphan[] => {
    const remove = (): void => releaseBridge(route, bridge.name);
    if (bridge.alias === ALIAS)
      return plugged(bridge) ? [] : [{ kind: 'bridge', what: `bridge ${bridge.name}`, remove }];
    const members = membersOn(links, bridge.name).map(({ link }) => link.name);
    const given = listAddresses(route, bridge.index).filter(({ protocol }) => protocol === IFAPROT_NETMOOR);
    const what = `${given.map(({ prefix }) => formatPrefix(prefix)).join(', ')} on bridge ${bridge.name}`;
    return [
      ...members.map(
        (name): Orphan => ({ kind: 'interface', what: `${name} on bridge ${bridge.name}`, remove }),
      ),
      ...(given.length > 0 ? [{ kind: 'address', what, remove } as const] : []),
    ];
  });
}

/** Members of a bridge that is gone, or never came to be. */
function strayMembers({ route }: Sockets, links: readonly Link[], { bridges }: Accounts): Orphan[] {
  const there = links.filter(({ kind }) => kind === 'bridge').map(({ name }) => name);
  const known = new Set([...there, ...bridges]);
  const held = new Set([...known].flatMap((name) => membersOn(links, name).map(({ link }) => link.index)));
  const stray = links.filter((link) => isMember(link) && !held.has(link.index));
  return stray.map((link) => ({
    kind: 'interface',
    what: `the mark of ${link.name} as a port`,
    remove: () => unmark(route, link),
  }));
}

/** Addresses that the host answers for on its uplink, and that nobody has. */
function strayProxies(host: Sockets, books: Books, links: readonly Link[]): Orphan[] {
  const { route } = host;
  const proxies = ownProxies(route);
  if (proxies.length === 0) return [];
  const { records, living } = books;
  const spared = living === 'spare' ? links.filter(isPort) : [];
  const held = new Set(
    [
      ...records.flatMap(({ addresses }) => addresses.map(({ address }) => address)),
      ...spared.flatMap(({ alias }) => parseLabel(alias)?.addresses ?? []),
      ...publicInUse(host, books, links),
    ].map(withoutLength),
  );
  const stray = proxies.filter(({ address }) => !held.has(formatAddress(address)));
  return stray.map(({ index, address }) => {
    const name = links.find((link) => link.index === index)?.name ?? `#${index}`;
    const remove = (): void => stopAnswering(route, [name], [address]);
    return { kind: 'address', what: `${formatAddress(address)}, answered for on ${name}`, remove };
  });
}

/** See Kind.orphans. */
export function findOrphans(host: Sockets, books: Books, most: number): Orphan[] {
  const links = listLinks(host.route);
  const accounts = accountsOf(books, links);
  const interfaces = strayInterfaces(links, accounts, most);
  return [
    ...forwarding(host, accounts),
    ...interfaces.map(
      ({ name, index }): Orphan => ({
        kind: 'interface',
        what: `interface ${name}`,
        remove: () => void removeLink(host.route, index),
      }),
    ),
    // A route goes with its bridge.
    ...strayRoutes(host, books, links),
    ...strayBridges(host, links, interfaces, accounts),
    ...strayWays(host, links, { bridges: accounts.bridges, tables: tablesOf(books.records) }),
    ...strayMembers(host, links, accounts),
    ...strayProxies(host, books, links),
  ];
}
