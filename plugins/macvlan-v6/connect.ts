/** The kernel's part of an attachment: the macvlan, its guard on the master, the container's addresses. */
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import type { CniInterface } from '../../lib/cni/result.ts';
import type { Host } from '../../lib/mooring/host.ts';
import type { Connection, Found, Request } from '../../lib/mooring/kind.ts';
import { quickenDetection } from '../../lib/mooring/kernel-keys.ts';
import { formatLabel } from '../../lib/mooring/label.ts';
import { kernelRoute } from '../../lib/mooring/routes.ts';
import {
  announce,
  announceHeld,
  awaitDetection,
  configureInterface,
  raiseInterface,
} from '../../lib/mooring/sandbox.ts';
import type { Sandbox, SandboxWanted } from '../../lib/mooring/sandbox.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { openAutoconfWatch } from '../../lib/netlink/autoconf.ts';
import { inet6Change } from '../../lib/netlink/inet6.ts';
import { labelling } from '../../lib/netlink/link-change.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { assignNsid } from '../../lib/netlink/nsid.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { inNetns } from '../../lib/system/netns.ts';
import { ensureSysctl, writeSysctl } from '../../lib/system/sysctl.ts';
import { giveAccess } from './access.ts';
import { autoconfigure } from './autoconfigure.ts';
import type { MacvlanConfig } from './config.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import { guard, guardAddresses, guardContainer } from './guard.ts';
import { checkMtu, requireMaster } from './master.ts';
import { ifindexesFor, stableSecretFor, whoseOf } from './names.ts';
import { hasRival } from './own.ts';
import { rankRouters, requireAsked } from './routers.ts';
import { knownMacs } from './strangers.ts';
import type { Made, Work } from './work.ts';

/** Where the master is. */
function masterSocket({ host, request, sandbox }: Work): NetlinkSocket {
  return request.config.linkInContainer ? sandbox.route : host.route;
}

function macTaken({ master }: MacvlanConfig, mac: string, cause: unknown): NetmoorError {
  return new NetmoorError(
    'address-taken',
    `another interface on master ${master} has the MAC address ${mac}`,
    'a container of this name may be attached already; detach that one, or ask for another MAC address',
    { cause },
  );
}

function refusal(error: unknown, { config }: Request<MacvlanConfig>, mac: string): unknown {
  if (isErrno(error, 'EADDRINUSE')) return macTaken(config, mac, error);
  if (config.mode === 'passthru' && isErrno(error, 'EINVAL', 'EBUSY')) {
    return new NetmoorError(
      'not-available',
      `master ${config.master} has other macvlans: mode passthru wants it for itself`,
      'detach those, or use another mode',
      { cause: error },
    );
  }
  if (isErrno(error, 'EBUSY', 'EINVAL')) {
    return new NetmoorError(
      'not-available',
      `interface ${config.master} cannot be the master of a macvlan in mode ${config.mode}`,
      'it is a port of another interface, or has a macvlan in mode passthru; name another master',
      { cause: error },
    );
  }
  return error;
}

/** Undefined when it worked with one of these indexes; what the kernel said of the last, when somebody has all. */
function firstThatWorks(indexes: readonly number[], work: (index: number) => void): unknown {
  let failure: unknown;
  for (const index of indexes) {
    try {
      work(index);
      return undefined;
    } catch (error) {
      failure = error;
      if (!isErrno(error, 'EEXIST', 'EBUSY')) break;
    }
  }
  return failure;
}

/** Makes the macvlan in the container, under its final name, down. */
function create(work: Work, record: MacvlanRecord, undo: UndoStack): Made {
  const { host, request, sandbox } = work;
  const { config, key, netns } = request;
  const socket = masterSocket(work);
  const master = requireMaster(socket, config.master);
  checkMtu(master, config.mtu);
  const nsid = assignNsid(host.route, netns.fd);
  const { mac = '', mtu } = record;
  const wanted = {
    name: key.ifname,
    mac,
    master: master.index,
    mode: config.mode,
    netnsFd: netns.fd,
    ...(mtu === undefined ? {} : { mtu }),
    ...(config.bcQueueLength === undefined ? {} : { bcQueueLength: config.bcQueueLength }),
  };
  const failure = firstThatWorks(ifindexesFor(record.incarnation), (index) =>
    socket.request(macvlanCreation({ ...wanted, index })),
  );
  if (failure !== undefined) throw refusal(failure, request, mac);
  let link: Link | undefined;
  undo.push(`delete interface ${key.ifname}`, () => {
    // By number: whoever is root in the container may have given it another name meanwhile.
    const made = findLink(sandbox.route, link?.index ?? key.ifname);
    if (made?.kind === 'macvlan') removeLink(sandbox.route, made.index);
  });
  link = findLink(sandbox.route, key.ifname);
  if (link === undefined) throw new NetmoorError('kernel', `interface ${key.ifname} vanished`, 'try again');
  return { link, master, nsid };
}

function label({ request, sandbox }: Work, record: MacvlanRecord, { index }: Link): void {
  const alias = formatLabel(request.key, record.addresses);
  if (alias !== undefined) sandbox.route.request(labelling({ index }, alias));
}

/**
 * How the kernel is to make addresses, said before the interface is raised; where routers are not believed, of the
 * link-local one alone. The namespace may have been made to prefer something else (net.ipv6.conf.default).
 */
function chooseIdentifier({ request, sandbox }: Work, { index, name }: Link): void {
  const { config, key, netns } = request;
  const { identifier, machine, slaac } = config;
  if (slaac && identifier === 'stable-privacy') {
    const secret = stableSecretFor(machine, whoseOf(key, config));
    // It cannot be read as long as there is none; writing it chooses RFC 7217 as well.
    inNetns(netns, () => writeSysctl(secret, 'net', 'ipv6', 'conf', name, 'stable_secret'));
    return;
  }
  const token = slaac && typeof identifier !== 'string' ? { token: identifier } : {};
  // The kernel takes one only where routers are believed, and asked.
  if (token.token !== undefined) inNetns(netns, () => believeRouters(name));
  const op = `choose how ${name} gets its IPv6 addresses`;
  try {
    // Not by sysctl, which would make the link-local address at once: the kernel asks no routers then
    // (addrconf_rs_timer).
    sandbox.route.request(inet6Change(index, { addressGeneration: 'eui64', ...token }, op));
  } catch (error) {
    // Without IPv6 there is nothing to choose, which is said where it is wanted.
    if (!isErrno(error, 'EAFNOSUPPORT', 'EOPNOTSUPP')) throw error;
  }
}

function believeRouters(name: string): void {
  ensureSysctl('2', 'net', 'ipv6', 'conf', name, 'accept_ra');
  ensureSysctl('-1', 'net', 'ipv6', 'conf', name, 'router_solicitations');
}

function wantedOf({ request }: Work, record: MacvlanRecord): SandboxWanted {
  const { config, key } = request;
  return {
    ifname: key.ifname,
    addresses: prefixesOf(record),
    routes: record.detail.routes.map(kernelRoute),
    dad: config.dad,
    slaac: config.slaac,
  };
}

function interfacesOf(record: MacvlanRecord, { link }: Made): CniInterface[] {
  const { ifname, mac = '', netns } = record;
  return [{ name: ifname, mac, mtu: link.mtu, sandbox: netns?.path ?? '' }];
}

/** A namespace that ends takes some time, and its interfaces live as long. */
const MAC_PATIENCE_MS = 5000;
const PAUSE_MS = 5;

/**
 * Raises the interface by `work`, which bears repetition. Of two with one MAC address the master takes one alone
 * (macvlan_open): that of a container of this name that has just ended is waited for, that of a living one is not.
 */
function whenMacIsFree<T>({ host, request }: Work, made: Made, mac: string, work: () => T): T {
  const { monotonic, pause } = host.world;
  const deadline = monotonic() + MAC_PATIENCE_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isErrno(error, 'EADDRINUSE')) throw error;
      if (monotonic() >= deadline || hasRival(host.route, mac, made)) throw refusal(error, request, mac);
    }
    // Nothing tells when it is gone, of which nobody has a socket.
    pause(PAUSE_MS);
  }
}

/** Of addresses that the store gave. */
function heldIpv6({ addresses }: MacvlanRecord): Address[] {
  return addresses.flatMap(({ address, scope }) => {
    const prefix = parsePrefix(address);
    return scope !== undefined && prefix.address.family === 6 ? [prefix.address] : [];
  });
}

/** Addresses and routes, and what routers say; all can be used when it returns. */
function configure(
  work: Work,
  made: Made,
  record: MacvlanRecord,
  notifications: NetlinkSocket | undefined,
  undo: UndoStack,
): Found<MacvlanDetail> {
  const { host, request, sandbox } = work;
  const { config } = request;
  const { mac = '' } = record;
  const inside = <T>(step: () => T): T => inNetns(request.netns, step);
  const unhurried =
    config.dad === 'optimistic' ? inside(() => quickenDetection(request.key.ifname)) : undefined;
  const link = whenMacIsFree(work, made, mac, () =>
    configureInterface(sandbox, wantedOf(work, record), undo),
  );
  host.step('attach: container configured');
  // Before routers are heard: setting the MAC address makes the kernel forget its neighbours (neigh_changeaddr), and it
  // cannot ask for them again as long as its addresses are optimistic (RFC 4429, section 3.2).
  if (config.dad === 'optimistic') announce(sandbox, link, mac);
  const found = autoconfigure(work, made, record, notifications);
  requireAsked(request.config, found.addresses);
  if (config.dad !== 'off') awaitDetection(sandbox, link, config.dad, host.world.monotonic, config.timeout);
  if (unhurried) inside(unhurried);
  const final = { ...record, ...found };
  if (config.slaac) {
    label(work, final, link);
    guardAddresses(work, record, final);
  }
  guardContainer(work, final, undo);
  host.step('attach: addresses guarded');
  if (config.hostAccess) giveAccess(work, final, made.master, undo);
  if (config.dad === 'optimistic') announceHeld(sandbox, link, mac, heldIpv6(record));
  else announce(sandbox, link, mac);
  return found;
}

function strangers({ host, request }: Work, record: MacvlanRecord): Pick<MacvlanDetail, 'knownMacs'> {
  const { spoofCheck, linkInContainer } = request.config;
  return spoofCheck === 'strict' && !linkInContainer ? { knownMacs: knownMacs(host, record) } : {};
}

/** Makes the interface; what follows is for whoever knows the addresses. */
export async function connect(
  host: Host,
  request: Request<MacvlanConfig>,
  sandbox: Sandbox,
  record: MacvlanRecord,
  undo: UndoStack,
): Promise<Connection<MacvlanDetail>> {
  const work: Work = { host, request, sandbox };
  const made = create(work, record, undo);
  label(work, record, made.link);
  host.step('attach: macvlan created');
  const { link } = made;
  const additions = { nsid: made.nsid, ifindex: link.index, ...strangers(work, record) };
  // In the mode passthru it is the master's, whatever was asked for.
  const mac = link.mac === undefined ? {} : { mac: link.mac };
  const known = { ...record, ...mac, detail: { ...record.detail, ...additions } };
  try {
    guard(work, known, undo);
  } catch (error) {
    const taken = error instanceof NetmoorError && error.kind === 'address-taken';
    const { mac: own = '' } = known;
    throw taken && hasRival(host.route, own, made) ? macTaken(request.config, own, error) : error;
  }
  host.step('attach: guarded');
  chooseIdentifier(work, link);
  let notifications = request.config.slaac ? inNetns(request.netns, openAutoconfWatch) : undefined;
  const stopListening = (): void => {
    notifications?.close();
    notifications = undefined;
  };
  undo.push('stop listening', stopListening);
  if (request.config.slaac) rankRouters(sandbox, link);
  return {
    raise() {
      whenMacIsFree(work, made, known.mac ?? '', () => raiseInterface(sandbox, wantedOf(work, record)));
    },
    configure(leased, more) {
      const whole = { ...leased, ...mac, detail: { ...leased.detail, ...additions } };
      try {
        if (leased.addresses.length > record.addresses.length) {
          label(work, whole, link);
          guardAddresses(work, known, whole);
        }
        return { ...configure(work, made, whole, notifications, more), ...mac };
      } finally {
        stopListening();
      }
    },
    interfaces: (attached) => interfacesOf(attached, made),
  };
}
