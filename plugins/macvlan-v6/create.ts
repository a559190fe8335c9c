/** Making the macvlan, and what the kernel may have against it. */
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import type { Request } from '../../lib/mooring/kind.ts';
import { formatLabel } from '../../lib/mooring/label.ts';
import { labelling } from '../../lib/netlink/link-change.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { assignNsid } from '../../lib/netlink/nsid.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import type { MacvlanConfig } from './config.ts';
import type { MacvlanRecord } from './detail.ts';
import { checkMtu, requireMaster } from './master.ts';
import { ifindexesFor } from './names.ts';
import { hasRival } from './own.ts';
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
export function create(work: Work, record: MacvlanRecord, undo: UndoStack): Made {
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

export function label({ request, sandbox }: Work, record: MacvlanRecord, { index }: Link): void {
  const alias = formatLabel(request.key, record.addresses);
  if (alias !== undefined) sandbox.route.request(labelling({ index }, alias));
}

/** A namespace that ends takes some time, and its interfaces live as long. */
const MAC_PATIENCE_MS = 5000;
const PAUSE_MS = 5;

/**
 * Raises the interface by `work`, which bears repetition. Of two with one MAC address the master takes one alone
 * (macvlan_open): that of a container of this name that has just ended is waited for, that of a living one is not.
 */
export function whenMacIsFree<T>({ host, request }: Work, made: Made, mac: string, work: () => T): T {
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

/** Where `step` finds an address taken, and another container has the MAC address, that is what the error names. */
export function tellingRival({ host, request }: Work, made: Made, mac: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    const taken = error instanceof NetmoorError && error.kind === 'address-taken';
    throw taken && hasRival(host.route, mac, made) ? macTaken(request.config, mac, error) : error;
  }
}
