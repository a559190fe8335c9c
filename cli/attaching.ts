/** Attaching a namespace to networks: everything looked at and checked first, then all of them or none. */
import { NetmoorError, errorText } from '../lib/base/errors.ts';
import type { Environment } from '../lib/cni/environment.ts';
import type { Json, JsonObject } from '../lib/cni/json.ts';
import type { Attachment, Ours } from '../lib/cni/lists/attachment.ts';
import { cachedAttachments, isWhereItWas, refuseBeingAttached } from '../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../lib/cni/lists/cache.ts';
import { NAME_ARGUMENT, refreshHostMap } from '../lib/cni/lists/host-map.ts';
import { findNetworkList } from '../lib/cni/lists/load.ts';
import type { NetworkList } from '../lib/cni/lists/load.ts';
import { assignInterfaceNames, capabilitiesOf } from '../lib/cni/lists/options.ts';
import type { NamedNetwork, WantedNetwork } from '../lib/cni/lists/options.ts';
import { delCached } from '../lib/cni/lists/several.ts';
import type { Attached, Plan } from '../lib/cni/lists/several.ts';
import { quote } from '../lib/cni/quote.ts';
import type { World } from '../lib/cni/world.ts';
import { addWithPorts } from '../lib/mooring/free-ports.ts';
import { findLink, listLinks } from '../lib/netlink/link.ts';
import { linkChange } from '../lib/netlink/link-change.ts';
import { withSocketIn } from '../lib/netlink/socket-in.ts';
import type { Sandbox } from './target.ts';

/** What is the same for every call of a plugin, and where its notes go. */
export interface Surroundings {
  readonly world: World;
  readonly ours: Ours;
  readonly confDirs: readonly string[];
  readonly path: readonly string[];
  readonly environment: Environment;
  readonly note: (line: string) => void;
}

export interface Container extends Sandbox {
  readonly containerId: string;
  /** What people call it; its id when they call it nothing. */
  readonly name: string;
  /** The capability `dns`; empty when nothing was said about it. */
  readonly dns: JsonObject;
}

/** A namespace has its loopback interface up, as runtimes leave it. */
export function raiseLoopback(path: string, world: World): void {
  const netns = world.openNetns(path);
  try {
    withSocketIn(netns, 'route', (socket) => {
      const loopback = findLink(socket, 'lo');
      if (loopback !== undefined) socket.request(linkChange(loopback.index, { up: true }, 'raise lo'));
    });
  } finally {
    world.closeNetns(netns);
  }
}

function interfacesIn({ opened }: Container): ReadonlySet<string> {
  return withSocketIn(opened, 'route', (socket) => new Set(listLinks(socket).map(({ name }) => name)));
}

interface Present {
  readonly live: readonly CachedAttachment[];
  /** Of a container that had this id before, or begun by who died over it. */
  readonly stale: readonly CachedAttachment[];
}

function requireSameContainer(
  cached: CachedAttachment,
  { containerId, netnsId }: Container,
  world: World,
): void {
  const opened = world.openNetns(cached.netns);
  world.closeNetns(opened);
  if (opened.id === netnsId) return;
  throw new NetmoorError(
    'bad-config',
    `container id ${containerId} is that of another namespace, ${quote(cached.netns)}`,
    'give this one another --id, or detach that one first',
  );
}

/** What is on file of the container. Throws when another container, which still runs, has its id. */
function lookAt(container: Container, world: World): Present {
  const links = interfacesIn(container);
  const live: CachedAttachment[] = [];
  const stale: CachedAttachment[] = [];
  for (const cached of cachedAttachments(container.containerId, world)) {
    refuseBeingAttached(cached, world);
    const there = isWhereItWas(cached, world);
    if (there) requireSameContainer(cached, container, world);
    const complete = there && cached.origin?.unfinished !== true && links.has(cached.ifname);
    (complete ? live : stale).push(cached);
  }
  return { live, stale };
}

function refuseAttached(
  wanted: readonly WantedNetwork[],
  live: readonly CachedAttachment[],
  links: ReadonlySet<string>,
): void {
  for (const { name, ifname } of wanted) {
    const same = live.find(
      (cached) => cached.network === name && (ifname ?? cached.ifname) === cached.ifname,
    );
    if (same !== undefined) {
      throw new NetmoorError(
        'ifname-taken',
        `it is already attached to ${name}, as ${same.ifname}`,
        'detach it first, or ask for another interface name',
      );
    }
    if (ifname !== undefined && links.has(ifname)) {
      throw new NetmoorError(
        'ifname-taken',
        `the container already has an interface ${ifname}`,
        'ask for another interface name',
      );
    }
  }
}

function attachmentFor(
  network: NamedNetwork,
  container: Container,
  { path, environment }: Surroundings,
): Attachment {
  const { containerId, netns, netnsId, opened, process, dns, name } = container;
  const capabilities: Record<string, Json> = { ...capabilitiesOf(network) };
  if (Object.keys(dns).length > 0) capabilities['dns'] = dns;
  return {
    containerId,
    netns,
    netnsId,
    opened,
    ...(process === undefined ? {} : { process }),
    ifname: network.ifname,
    args: new Map([...network.args, [NAME_ARGUMENT, name]]),
    capabilities,
    path,
    environment,
  };
}

function refreshNames(containerId: string, { world, note }: Surroundings): void {
  try {
    refreshHostMap(containerId, world);
  } catch (error) {
    note(`the list of containers by name is out of date: ${errorText(error)}`);
  }
}

/** Throws with nothing changed, but for what was left of an earlier container of the same id, which is cleared away. */
export async function attach(
  container: Container,
  wanted: readonly WantedNetwork[],
  around: Surroundings,
): Promise<Attached[]> {
  const { world, ours, path, environment, confDirs, note } = around;
  const unusable = new Set<string>();
  const find = ({ name }: WantedNetwork): NetworkList =>
    findNetworkList(name, confDirs, world, ({ message }) => void unusable.add(message));
  const lists = new Map(wanted.map((network) => [network.name, find(network)]));
  for (const problem of unusable) note(problem);
  const { live, stale } = lookAt(container, world);
  const left = stale.filter((cached) => cached.origin !== undefined);
  await delCached(left, { path, environment }, world, ours, note);
  const links = interfacesIn(container);
  refuseAttached(wanted, live, links);
  const plans = assignInterfaceNames(wanted, 'networks', links).flatMap((network): Plan[] => {
    const list = lists.get(network.name);
    return list === undefined ? [] : [{ list, attachment: attachmentFor(network, container, around) }];
  });
  const attached = await addWithPorts(plans, world, ours, note);
  refreshNames(container.containerId, around);
  return attached;
}

/** Detaches, last interface first, going on after failures. */
export async function detach(
  cached: readonly CachedAttachment[],
  around: Omit<Surroundings, 'confDirs'>,
): Promise<void> {
  const { world, ours, path, environment, note } = around;
  try {
    await delCached(cached, { path, environment }, world, ours, note);
  } finally {
    for (const id of new Set(cached.map(({ containerId }) => containerId)))
      refreshNames(id, { ...around, confDirs: [] });
  }
}
