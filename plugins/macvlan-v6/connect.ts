/** The kernel's part of an attachment: the macvlan, its guard on the master, the container's addresses. */
import { parsePrefix } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import type { CniInterface } from '../../lib/cni/result.ts';
import {
  announce,
  announceHeld,
  awaitDetection,
  configureInterface,
  raiseInterface,
} from '../../lib/mooring/container-interface.ts';
import type { InterfaceWanted } from '../../lib/mooring/container-interface.ts';
import type { Host } from '../../lib/mooring/host.ts';
import type { Connection, Found, Request } from '../../lib/mooring/kind.ts';
import { quickenDetection } from '../../lib/mooring/kernel-keys.ts';
import { openRouterWatch } from '../../lib/mooring/routers.ts';
import { kernelRoute } from '../../lib/mooring/routes.ts';
import type { Sandbox } from '../../lib/mooring/sandbox.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { inNetns } from '../../lib/system/netns.ts';
import { giveAccess } from './access.ts';
import type { MacvlanConfig } from './config.ts';
import { create, label, tellingRival, whenMacIsFree } from './create.ts';
import type { MacvlanDetail, MacvlanRecord } from './detail.ts';
import { assureGuard, guard, guardAddresses, guardContainer } from './guard.ts';
import { chooseIdentifier } from './identifier.ts';
import { obtain } from './obtain.ts';
import { requireAsked } from './routers.ts';
import { knownMacs } from './strangers.ts';
import { interfaceWanted, routersFor } from './wanted.ts';
import type { Made, Work } from './work.ts';

function wantedOf({ request }: Work, record: MacvlanRecord): InterfaceWanted {
  return {
    ...interfaceWanted({ request }),
    addresses: prefixesOf(record),
    routes: record.detail.routes.map(kernelRoute),
  };
}

function interfacesOf(record: MacvlanRecord, { link }: Made): CniInterface[] {
  const { ifname, mac = '', netns } = record;
  return [{ name: ifname, mac, mtu: link.mtu, sandbox: netns?.path ?? '' }];
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
  const { found, guarded } = obtain(work, made, record, notifications, undo);
  requireAsked(request.config, found.addresses);
  if (config.dad !== 'off') awaitDetection(sandbox, link, config.dad, host.world.monotonic, config.timeout);
  if (unhurried) inside(unhurried);
  const final = { ...record, ...found };
  if (config.slaac) {
    label(work, final, link);
    guardAddresses(work, guarded, final);
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
  tellingRival(work, made, known.mac ?? '', () => guard(work, known, undo));
  host.step('attach: guarded');
  chooseIdentifier(work, link);
  const believes = routersFor(request.config) !== 'ignored';
  const routers = believes ? openRouterWatch(sandbox, link.name, undo) : undefined;
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
        return { ...configure(work, made, whole, routers?.notifications, more), ...mac };
      } finally {
        routers?.close();
      }
    },
    assure: (attached) => assureGuard(work, attached),
    interfaces: (attached) => interfacesOf(attached, made),
  };
}
