/**
 * The loopback interface of a container, as the reference's plugin of that name has it: containerd and CRI-O start no
 * pod without one (containernetworking/plugins plugins/main/loopback). CNI_IFNAME is not looked at: it is "lo".
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix, parsePrefix, prefixContains } from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import type { AttachedContext, Plugin } from '../../lib/cni/plugin.ts';
import { requireNetns } from '../../lib/cni/plugin.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { listAddresses } from '../../lib/netlink/address.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { linkChange } from '../../lib/netlink/link-change.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { IFF_UP } from '../../lib/netlink/uapi.ts';
import { withSocketIn } from '../../lib/netlink/socket-in.ts';
import type { Netns } from '../../lib/system/netns.ts';

const NAME = 'lo';

/** 127.0.0.0/8 and ::1, which nothing but the loopback interface may have. */
const LOOPBACK = { 4: parsePrefix('127.0.0.0/8'), 6: parsePrefix('::1/128') } as const;

interface Loopback {
  readonly socket: NetlinkSocket;
  readonly index: number;
  readonly isUp: boolean;
}

function onLoopback<T>(netns: Netns, work: (loopback: Loopback) => T): T {
  return withSocketIn(netns, 'route', (socket) => {
    const link = findLink(socket, NAME);
    if (link === undefined)
      throw new NetmoorError('kernel', `the namespace ${netns.path} has no interface ${NAME}`);
    return work({ socket, index: link.index, isUp: (link.flags & IFF_UP) !== 0 });
  });
}

function requireLoopback({ address }: Prefix): void {
  if (prefixContains(LOOPBACK[address.family], address)) return;
  throw new NetmoorError(
    'check-failed',
    `${NAME} has the address ${formatAddress(address)}, which is none of a loopback interface`,
    'see who gave it, and remove it',
  );
}

/** The first address of each family. */
function raise({ socket, index, isUp }: Loopback): Prefix[] {
  if (!isUp) socket.request(linkChange(index, { up: true }, `raise ${NAME}`));
  const prefixes = listAddresses(socket, index).map(({ prefix }) => prefix);
  for (const prefix of prefixes) requireLoopback(prefix);
  const first = (family: 4 | 6): Prefix[] =>
    prefixes.filter(({ address }) => address.family === family).slice(0, 1);
  return [...first(4), ...first(6)];
}

/** What plugins before it have done is passed on as it is. */
function add(context: AttachedContext): CniResult {
  const { config, request } = context;
  const addresses = onLoopback(requireNetns(context), raise);
  if (config.prevResult !== undefined) return config.prevResult;
  return {
    interfaces: [{ name: NAME, mac: '00:00:00:00:00:00', sandbox: request.netns }],
    ips: addresses.map((prefix) => ({ address: formatPrefix(prefix), interface: 0 })),
    routes: [],
    dns: {},
  };
}

function check(context: AttachedContext): void {
  if (onLoopback(requireNetns(context), ({ isUp }) => isUp)) return;
  throw new NetmoorError('check-failed', `${NAME} is down`, `raise it: ip link set ${NAME} up`);
}

/** Down again, as the reference leaves it; a namespace that is gone has none. */
function del({ netns }: AttachedContext): void {
  if (netns === undefined) return;
  onLoopback(netns, ({ socket, index, isUp }) => {
    if (isUp) socket.request(linkChange(index, { up: false }, `take ${NAME} down`));
  });
}

export const loopback: Plugin = {
  name: 'loopback',
  about: "CNI loopback plugin of netmoor: a container's own interface lo, raised",
  add,
  check,
  del,
};
