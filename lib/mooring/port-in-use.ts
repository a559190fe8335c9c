/**
 * Published ports against the sockets of the host itself: redirected, a service that listens there would silently get
 * nothing any more. Sockets that a runtime holds for the very container are no strangers: podman's conmon keeps the
 * ports bound that it publishes.
 */
import { NetmoorError } from '../base/errors.ts';
import { formatAddress, parseAddress, parsePrefix } from '../base/ip.ts';
import type { Family } from '../base/ip.ts';
import { quote } from '../cni/quote.ts';
import { listSockets } from '../netlink/inet-diag.ts';
import type { BoundSocket, SocketProtocol } from '../netlink/inet-diag.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { findSocketHolders } from '../system/socket-holders.ts';
import type { SocketHolder } from '../system/socket-holders.ts';
import type { AttachmentRecord, PortRecord } from '../../ipam/record.ts';

type Claim = Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort' | 'count'>;

/** Shorter ones may be words that stand in anybody's command line. */
const TELLING_ID = 12;

/**
 * The host's sockets on any port from the lowest to the highest of the claims, by one request for each protocol and
 * family. `note` is told of what the kernel does not list; that of SCTP, which hardly anybody has, is not worth it.
 */
export function socketsNear(claims: readonly Claim[], note: (line: string) => void): BoundSocket[] {
  const protocols = new Set<SocketProtocol>(claims.map(({ protocol }) => protocol));
  if (protocols.size === 0) return [];
  const socket = NetlinkSocket.open('sock_diag');
  try {
    return [...protocols].flatMap((protocol) => {
      const own = claims.filter((claim) => claim.protocol === protocol);
      const first = own.reduce((least, { hostPort }) => Math.min(least, hostPort), 65_535);
      const last = own.reduce((most, { hostPort, count }) => Math.max(most, hostPort + count - 1), 0);
      const listed = listSockets(socket, protocol, { first, last });
      if (listed === undefined && protocol !== 'sctp')
        note(
          `the kernel lists no ${protocol} sockets (${protocol}_diag): services of the host are not looked for`,
        );
      return listed ?? [];
    });
  } finally {
    socket.close();
  }
}

/** What nobody's packets are redirected from: groups, and ::1 (lib/nftables/layout-rules.ts). */
function isOutOfReach({ address: { family, value } }: BoundSocket): boolean {
  return family === 6 ? value === 1n || value >> 120n === 0xffn : value >> 28n === 0xen;
}

/** The families in which a socket takes packets. */
function familiesOf({ address: { family, value }, only6 }: BoundSocket): readonly Family[] {
  return family === 6 && value === 0n && !only6 ? [4, 6] : [family];
}

/**
 * Whether what is sent to the socket would be redirected, as the kernel judges two sockets on one port: an address and
 * every address of its family are the same. `families`: in which the port is published when it names no address.
 */
export function isTakenFrom(claim: Claim, socket: BoundSocket, families: readonly Family[]): boolean {
  const { protocol, hostIp, hostPort, count } = claim;
  const { port, address } = socket;
  if (socket.protocol !== protocol || port < hostPort || port >= hostPort + count) return false;
  if (isOutOfReach(socket)) return false;
  const host = hostIp === undefined ? undefined : parseAddress(hostIp);
  const shared = familiesOf(socket).filter((family) =>
    host === undefined ? families.includes(family) : family === host.family,
  );
  if (shared.length === 0) return false;
  return host === undefined || host.value === 0n || address.value === 0n || address.value === host.value;
}

interface Collision {
  readonly claim: Claim;
  readonly socket: BoundSocket;
}

function isForContainer(containerId: string): (argument: string) => boolean {
  return (argument) => containerId.length >= TELLING_ID && argument === containerId;
}

function describeHolders(holders: readonly SocketHolder[]): string {
  const [first, ...others] = holders.toSorted((a, b) => a.pid - b.pid);
  if (first !== undefined) {
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return `process ${first.pid} (${quote(first.name)})${more}`;
  }
  // The kernel's own sockets have inodes, too.
  return 'somebody whom /proc does not show (the kernel itself, or a process of another PID namespace)';
}

function endpoint({ protocol, address, port }: BoundSocket): string {
  const text = formatAddress(address);
  return `${protocol} ${address.family === 6 ? `[${text}]` : text}:${port}`;
}

function portInUse({ claim, socket }: Collision, holders: readonly SocketHolder[]): NetmoorError {
  const where = claim.hostIp === undefined ? '' : ` of ${claim.hostIp}`;
  const who = describeHolders(holders);
  return new NetmoorError(
    'port-taken',
    `host port ${socket.port}/${socket.protocol}${where} cannot be published: ${who} has ${endpoint(socket)}`,
    'choose another host port or address, or stop that service; what it is sent would go to the container instead',
  );
}

/**
 * Throws NetmoorError('port-taken') naming process and address when a service of the host has one of the ports that the
 * record publishes. Its addresses say in which families that is; in the namespace of the calling thread.
 */
export function refuseListeners(
  { ports, addresses, containerId }: Pick<AttachmentRecord, 'ports' | 'addresses' | 'containerId'>,
  note: (line: string) => void,
): void {
  const families = addresses.map(({ address }) => parsePrefix(address).address.family);
  const collisions = socketsNear(ports, note).flatMap((socket): Collision[] => {
    const claim = ports.find((each) => isTakenFrom(each, socket, families));
    return claim === undefined ? [] : [{ claim, socket }];
  });
  if (collisions.length === 0) return;
  const isTelling = isForContainer(containerId);
  const inodes = new Set(collisions.map(({ socket }) => socket.inode));
  const holders = findSocketHolders(inodes, isTelling);
  const inOrder = collisions.toSorted((a, b) => a.socket.port - b.socket.port);
  const strange = inOrder.find(
    ({ socket }) =>
      !(holders.get(socket.inode) ?? []).some((who) => who.isOurs && who.arguments.some(isTelling)),
  );
  if (strange !== undefined) throw portInUse(strange, holders.get(strange.socket.inode) ?? []);
}
