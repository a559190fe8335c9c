/**
 * The kernel's part of an attachment, on both sides: bridge, veth, rules, the container's interface. Every effect
 * pushes its undo.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import type { CniInterface } from '../../lib/cni/result.ts';
import { whileAttached } from '../../lib/mooring/alone.ts';
import {
  announce,
  awaitDetection,
  configureInterface,
  raiseInterface,
} from '../../lib/mooring/container-interface.ts';
import { afterwards, writeAlone } from '../../lib/mooring/host.ts';
import type { Host } from '../../lib/mooring/host.ts';
import type { Connection, Found, Request } from '../../lib/mooring/kind.ts';
import { lastOf } from '../../lib/mooring/records.ts';
import { askRouters } from '../../lib/mooring/routers.ts';
import { kernelRoute } from '../../lib/mooring/routes.ts';
import type { Sandbox } from '../../lib/mooring/sandbox.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { linkChange } from '../../lib/netlink/link-change.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { untilLinkUp } from '../../lib/netlink/watch.ts';
import { standsWhole } from '../../lib/nftables/check.ts';
import { acceptForwarding } from '../../lib/nftables/forward.ts';
import type { BridgeNatConfig } from './config.ts';
import { KIND, readDetail, rulesOf } from './detail.ts';
import type { BridgeNatDetail, BridgeNatRecord } from './detail.ts';
import { flushFlows, leaveBridge, leaveOwnRules, leaveRules } from './disconnect.ts';
import { giveUpEgress, takeEgress } from './egress/taking.ts';
import { enableForwarding } from './bridge/forwarding.ts';
import { dadOf, hear, routersOf } from './hearing.ts';
import type { Hearing } from './hearing.ts';
import { bridgeMacFor, ifbNameFor } from './names.ts';
import { notesOnNameServers } from './isolation.ts';
import { isUndisturbed, standRules } from './stand-rules.ts';
import { proxyAttachment, unproxyAttachment } from './bridge/ndp-proxy.ts';
import { besideOthers, rulesOfOthers } from './standby.ts';
import { plugIn, readyBridge, relabel } from './plug-in.ts';
import type { Work } from './plug-in.ts';

/** A port that is not up by then never will be: something else holds it down. */
const LINK_UP_DEADLINE_MS = 5000;

/**
 * Rules for this container; those of all others too, should the table have been deleted behind our back. Returns the
 * generation of the ruleset before that.
 */
function writeRules({ host }: Work, record: BridgeNatRecord, undo: UndoStack): number | undefined {
  undo.push('remove its rules', () => {
    // With a way out of its own the bridge keeps the others to the last (connect()).
    if (record.detail.egress) leaveOwnRules(host, record);
    else writeAlone(host, (tx, ask) => leaveRules(host, record, lastOf(tx, ask, { name: KIND }, record)));
  });
  let generation: number | undefined;
  besideOthers(host, undefined, record, (everyOther) => {
    generation = standRules(host, record, everyOther);
  });
  flushFlows(host, record);
  return generation;
}

/** Public addresses that are the container's alone from here on. */
async function takePublicAddresses({ host }: Work, record: BridgeNatRecord, undo: UndoStack): Promise<void> {
  if (record.detail.nat?.oneToOne === undefined) return;
  const { answerPublic, leavePublic, shadowed } = await import('./nat/answering.ts');
  undo.push('answer for its public addresses no more', () => leavePublic(host, record));
  answerPublic(host, record);
  for (const line of shadowed(record)) host.surroundings.note(line);
}

/**
 * Somebody may have taken the tables away since, and somebody else built them anew for those whose records were final:
 * this one's was not. `generation` is that of the ruleset before the rules were written, which was one transaction.
 */
function assureRules({ host }: Work, record: BridgeNatRecord, generation: number | undefined): void {
  if (generation !== undefined && isUndisturbed(host, record, generation)) return;
  acceptForwarding(host.netfilter, record.segment ?? '');
  if (standsWhole(host.netfilter, rulesOf(record))) return;
  whileAttached({ readDetail }, host, record, (locked, tx, current) => {
    standRules(locked, current, () => rulesOfOthers(tx, locked, current));
    flushFlows(locked, current);
  });
}

function awaitPort({ host, request }: Work, link: Link): void {
  if (untilLinkUp(host.route, link.index, LINK_UP_DEADLINE_MS, host.world.monotonic)) return;
  throw new NetmoorError(
    'kernel',
    `port ${link.name} of bridge ${request.segment} did not come up`,
    'is the interface in the container, or the bridge, being held down?',
  );
}

function raisePort({ host }: Work, link: Link): void {
  host.route.request(linkChange(link.index, { up: true }, `raise ${link.name}`));
}

/** What few attachments ask for, done in the container when all else is: as plugins behind this one would. */
type Extras = (work: Work, record: BridgeNatRecord, inside: Link, undo: UndoStack) => void;

/** It is not even loaded for the others. */
async function extrasOf({ detail: { sourceRouting, tuning } }: BridgeNatRecord): Promise<Extras> {
  const sources = sourceRouting && (await import('./inside/route-by-source.ts'));
  const tuner = tuning && (await import('./inside/tune.ts'));
  return ({ host, sandbox }, record, inside, undo) => {
    if (sourceRouting) sources?.routeBySource(sandbox, inside, record, sourceRouting, host, undo);
    if (tuning) tuner?.tune(sandbox, inside, tuning, undo);
  };
}

/** The container is plugged into the bridge by `link`, and has no addresses yet. */
interface Plugged extends Work {
  readonly link: Link;
  readonly hearing: Hearing;
  readonly extras: Extras;
  /** The generation of the ruleset before the container's rules were written; undefined until then. */
  generation: number | undefined;
}

/** Addresses, routes and rules; the container is reachable when it returns. */
function configure(
  plugged: Plugged,
  record: BridgeNatRecord,
  undo: UndoStack,
  unused: boolean,
): Found<BridgeNatDetail> | undefined {
  const { host, request, sandbox, link, hearing, extras } = plugged;
  const { config, key } = request;
  const addresses = prefixesOf(record);
  const families = new Set<Family>(addresses.map(({ address }) => address.family));
  if (config.isGateway) enableForwarding(host.route, families);
  plugged.generation = writeRules(plugged, record, undo);
  host.step('attach: rules written');
  if (record.detail.ndpProxy) {
    undo.push('no longer answer for its addresses', () => unproxyAttachment(host, record));
    proxyAttachment(host, record);
    host.step('attach: proxies made');
  }
  raisePort(plugged, link);
  if (config.disableContainerInterface) {
    const inside = findLink(sandbox.route, key.ifname);
    if (inside) extras(plugged, record, inside, undo);
    return undefined;
  }
  const dad = dadOf(config);
  const wanted = {
    ifname: key.ifname,
    addresses,
    routes: record.detail.routes.map(kernelRoute),
    dad,
    routers: routersOf(config),
  };
  const inside = configureInterface(sandbox, wanted, undo);
  host.step('attach: container configured');
  awaitPort(plugged, link);
  // Before routers are heard: it makes the kernel forget its neighbours (neigh_changeaddr).
  if (dad === 'optimistic') announce(sandbox, inside, record.mac ?? '');
  const found = hearing.found(record, inside);
  if (dad !== 'off') awaitDetection(sandbox, inside, dad, host.world.monotonic);
  // On a bridge with a thousand ports it takes milliseconds: each hears it before the kernel returns.
  // Behind members they remember what was before the bridge.
  const known = !unused || config.members.length > 0;
  if (dad !== 'optimistic' && known) afterwards(host, () => announce(sandbox, inside, record.mac ?? ''));
  extras(plugged, record, inside, undo);
  return found;
}

function interfacesOf(host: Host, record: BridgeNatRecord, bridge: Link, link: Link): CniInterface[] {
  const { ifname, mac = '', netns, detail } = record;
  const { mtu } = link;
  const ifb = detail.bandwidth?.egress ? findLink(host.route, ifbNameFor(record)) : undefined;
  return [
    { name: bridge.name, mac: bridge.mac ?? bridgeMacFor(bridge.name), mtu },
    { name: link.name, mac: link.mac ?? '', mtu },
    { name: ifname, mac, mtu: detail.tuning?.mtu ?? mtu, sandbox: netns?.path ?? '' },
    // Where the reference bandwidth plugin appends it.
    ...(ifb ? [{ name: ifb.name, mac: ifb.mac ?? '', mtu: ifb.mtu }] : []),
  ];
}

/** Without addresses, but for the link-local one, by which routers and DHCPv6 servers can be asked at once. */
function raise(work: Work, link: Link): void {
  const { sandbox, request } = work;
  const { config, key } = request;
  const wanted = { ifname: key.ifname, dad: dadOf(config), routers: routersOf(config) };
  raisePort(work, link);
  raiseInterface(sandbox, wanted);
  awaitPort(work, link);
  const inside = findLink(sandbox.route, key.ifname);
  if (inside !== undefined && wanted.routers !== 'ignored') askRouters(sandbox.netns, inside);
}

/** Once the addresses are known, which say in which families its ports are published. */
async function refuseServices({ host }: Work, record: BridgeNatRecord): Promise<void> {
  if (record.ports.length === 0 || record.addresses.length === 0) return;
  // What an attachment without ports does not ask is not even loaded for it.
  const { refuseListeners } = await import('../../lib/mooring/port-in-use.ts');
  refuseListeners(record, host.surroundings.note);
}

/** A network that serves DHCP needs the engine to do it. Throws NetmoorError when it cannot. */
async function serveGuests({ host, request }: Work): Promise<void> {
  if (request.config.dhcpServer === undefined) return;
  // What few networks have is not even loaded for the others.
  const { requestService } = await import('./dhcp-server/request.ts');
  requestService(host, request.key.network);
}

/** What has to be said of the configuration, and of what has come of it. */
function tell({ host, request }: Work, { detail }: BridgeNatRecord): void {
  const { notes, dns, egress, isolation } = request.config;
  const gateways = detail.gateways.map(parsePrefix);
  // Tor's DNSPort answers there.
  const servers = egress?.proxy ? [] : notesOnNameServers(dns, gateways, isolation.hostAccess);
  for (const line of [...notes, ...servers]) host.surroundings.note(`${request.key.network}: ${line}`);
}

/** Plugs the container in; what follows is for whoever knows the addresses. */
export async function connect(
  host: Host,
  request: Request<BridgeNatConfig>,
  sandbox: Sandbox,
  record: BridgeNatRecord,
  undo: UndoStack,
): Promise<Connection<BridgeNatDetail>> {
  const work: Work = { host, request, sandbox };
  await refuseServices(work, record);
  tell(work, record);
  undo.push(`leave bridge ${request.segment}`, () => {
    writeAlone(host, (tx, ask) => {
      const last = lastOf(tx, ask, { name: KIND }, record);
      if (!last.onSegment) return;
      leaveBridge(host, record);
      if (record.detail.egress) leaveRules(host, record, last);
      giveUpEgress(host, record);
    });
  });
  const bridge = readyBridge(work, record);
  takeEgress(host, record);
  // Whoever may leave by one way alone is kept from the others before there is anybody.
  if (record.detail.egress) writeRules(work, record, undo);
  host.step('attach: bridge ready');
  const link = plugIn(work, record, bridge, undo);
  host.step('attach: veth created');
  if (record.detail.bandwidth) {
    // What most attachments do not ask for is not even loaded for them.
    const { shape } = await import('./bandwidth/shaping.ts');
    shape(host.route, record, link, undo);
    host.step('attach: bandwidth limited');
  }
  const extras = await extrasOf(record);
  const plugged: Plugged = { ...work, link, extras, hearing: hear(work, undo), generation: undefined };
  return {
    hostIfindex: link.index,
    raise: () => raise(work, link),
    async configure(leased, more, unused) {
      if (leased.addresses.length > record.addresses.length) await refuseServices(work, leased);
      // The gateways are known by now.
      if (leased.detail.gateways.length > record.detail.gateways.length) readyBridge(work, leased);
      if (leased.addresses.length > record.addresses.length) relabel(work, leased, link);
      try {
        const found = configure(plugged, leased, more, unused);
        await takePublicAddresses(work, leased, more);
        await serveGuests(work);
        return found;
      } finally {
        plugged.hearing.end();
      }
    },
    assure: (attached) => assureRules(work, attached, plugged.generation),
    interfaces: (attached) => interfacesOf(host, attached, bridge, link),
  };
}
