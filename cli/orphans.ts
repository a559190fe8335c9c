/** What bears netmoor's marks in the kernel, and no record accounts for: how it is found, and how it is removed. */
import { errorText } from '../lib/base/errors.ts';
import { formatPrefix } from '../lib/base/ip.ts';
import { listAddresses } from '../lib/netlink/address.ts';
import { listLinks } from '../lib/netlink/link.ts';
import { removeLink } from '../lib/netlink/link-removal.ts';
import type { Link } from '../lib/netlink/link-message.ts';
import { forwardedBridges, withdrawForwarding } from '../lib/nftables/forward.ts';
import { allElements, hasTables, removeStrays } from '../lib/nftables/strays.ts';
import { dropTables } from '../lib/nftables/tables.ts';
import { IFAPROT_NETMOOR, releaseBridge } from '../plugins/bridge-nat/bridge.ts';
import { ALIAS } from '../plugins/bridge-nat/foreign-bridge.ts';
import { isHostIfname, isIfbName } from '../plugins/bridge-nat/names.ts';
import type { Accounts } from './accounts.ts';
import type { Failure, Garbage } from './garbage.ts';
import type { Sockets } from './host.ts';

export interface Orphan extends Garbage {
  readonly remove: () => void;
}

/** How many interfaces are found at once: deleting one takes the kernel some 10 ms, in which ADDs wait for the store. */
export const BATCH = 64;

const UNACCOUNTED = 'no attachment accounts for it';

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}

/** Named by owner, removed all at once. */
function orphanElements({ netfilter }: Sockets, accounts: Accounts): Orphan[] {
  const remove = once(() => void removeStrays(netfilter, (element) => !accounts.hasElement(element)));
  const strays = allElements(netfilter).filter((element) => !accounts.hasElement(element));
  const owners = Map.groupBy(strays, ({ comment }) => comment);
  return [...owners].map(([owner, { length }]) => ({
    kind: 'rules',
    what: `${length} nftables element${length === 1 ? '' : 's'} of ${owner === '' ? 'nobody' : owner}`,
    reason: UNACCOUNTED,
    remove,
  }));
}

function orphanForwarding({ netfilter }: Sockets, accounts: Accounts): Orphan[] {
  const bridges = forwardedBridges(netfilter).filter((bridge) => !accounts.bridges.has(bridge));
  return bridges.map((bridge) => ({
    kind: 'forwarding',
    what: `the way through the host's firewall for bridge ${bridge}`,
    reason: UNACCOUNTED,
    remove: () => withdrawForwarding(netfilter, bridge),
  }));
}

/** Veths, and the IFBs in which the traffic of limited ones waits. */
function orphanInterfaces(
  { route }: Sockets,
  links: readonly Link[],
  accounts: Accounts,
): { link: Link; orphan: Orphan }[] {
  const stray = links.filter(({ name, kind }) => {
    const ours = (kind === 'veth' && isHostIfname(name)) || (kind === 'ifb' && isIfbName(name));
    return ours && !accounts.interfaces.has(name);
  });
  return stray.slice(0, BATCH).map((link) => ({
    link,
    orphan: {
      kind: 'interface',
      what: `interface ${link.name}`,
      reason: UNACCOUNTED,
      remove: () => void removeLink(route, link.index),
    },
  }));
}

/** Bridges of ours that nothing else is plugged into, and addresses of ours on bridges of others. */
function orphanBridges(
  { route }: Sockets,
  links: readonly Link[],
  going: ReadonlySet<number>,
  accounts: Accounts,
): Orphan[] {
  const unused = links.filter(({ name, kind }) => kind === 'bridge' && !accounts.bridges.has(name));
  const plugged = (bridge: Link): boolean =>
    links.some(({ index, master }) => master === bridge.index && !going.has(index));
  return unused.flatMap((bridge): Orphan[] => {
    const remove = (): void => releaseBridge(route, bridge.name);
    if (bridge.alias === ALIAS) {
      return plugged(bridge)
        ? []
        : [{ kind: 'bridge', what: `bridge ${bridge.name}`, reason: UNACCOUNTED, remove }];
    }
    const given = listAddresses(route, bridge.index).filter(({ protocol }) => protocol === IFAPROT_NETMOOR);
    if (given.length === 0) return [];
    const what = `${given.map(({ prefix }) => formatPrefix(prefix)).join(', ')} on bridge ${bridge.name}`;
    return [{ kind: 'address', what, reason: UNACCOUNTED, remove }];
  });
}

function orphanTables({ netfilter }: Sockets, accounts: Accounts): Orphan[] {
  if (!accounts.isEmpty || !hasTables(netfilter)) return [];
  return [
    {
      kind: 'rules',
      what: 'the nftables tables',
      reason: 'nobody is attached',
      remove: () => dropTables(netfilter),
    },
  ];
}

/** In the order they are to be removed; of interfaces no more than fit in one go, so that it is to be asked again. */
export function findOrphans(sockets: Sockets, accounts: Accounts): Orphan[] {
  const links = listLinks(sockets.route);
  const interfaces = orphanInterfaces(sockets, links, accounts);
  const going = new Set(interfaces.map(({ link }) => link.index));
  return [
    ...orphanForwarding(sockets, accounts),
    ...orphanElements(sockets, accounts),
    ...interfaces.map(({ orphan }) => orphan),
    ...orphanBridges(sockets, links, going, accounts),
    ...orphanTables(sockets, accounts),
  ];
}

/** Removes what was found, going on after failures. */
export function removeOrphans(orphans: readonly Orphan[]): { removed: Garbage[]; failures: Failure[] } {
  const removed: Garbage[] = [];
  const failures: Failure[] = [];
  for (const { remove, ...garbage } of orphans) {
    try {
      remove();
      removed.push(garbage);
    } catch (error) {
      failures.push({ what: garbage.what, problem: errorText(error) });
    }
  }
  return { removed, failures };
}
