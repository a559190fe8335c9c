/** Guard rails of an attachment: on its master for what leaves the host, in the container for all else it sends. */
import type { UndoStack } from '../../lib/base/undo.ts';
import { whileAttached, withOthers } from '../../lib/mooring/alone.ts';
import { writeAlone } from '../../lib/mooring/host.ts';
import type { Host, Sockets } from '../../lib/mooring/host.ts';
import { ownerKey } from '../../lib/mooring/label.ts';
import { knownRecords, lastOf } from '../../lib/mooring/records.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { withSocketIn } from '../../lib/netlink/socket-in.ts';
import type { Lives } from '../../lib/nftables/conflicts.ts';
import { checkGuard } from '../../lib/nftables/guard/check.ts';
import { changeAddresses, guardPort, removePortsOf, unguardPort } from '../../lib/nftables/guard/guard.ts';
import { guardInside, unguardInside } from '../../lib/nftables/guard/inside.ts';
import type { MooredPort } from '../../lib/nftables/guard/port.ts';
import { ownerComment } from '../../lib/nftables/owner.ts';
import { formatKey } from '../../ipam/record.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import { KIND, readDetail } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';
import { mooredPort, presentPort } from './moored.ts';
import { findLabelled } from './own.ts';
import type { Work } from './work.ts';

/** Those of all other attachments, of every store: for what has to be built again for all. */
export function otherRecords(host: Host, record: MacvlanRecord, tx?: StoreReader): MacvlanRecord[] {
  const read = (reader: StoreReader): MacvlanRecord[] =>
    knownRecords({ name: KIND, readDetail }, reader.attachments({ plugin: KIND }));
  const all = [tx ? read(tx) : host.store.read(read), ...host.askOthers(read, [])].flat();
  // What is being taken down has looked for its guard already, or is about to.
  return all.filter(
    (other) =>
      formatKey(other) !== formatKey(record) &&
      other.bootId === host.world.bootId &&
      other.state !== 'detaching',
  );
}

/** Those of them that the guard knows, as it does. */
export function portsOf({ route }: Sockets, records: readonly MacvlanRecord[]): MooredPort[] {
  return records.flatMap((each) => presentPort(route, each) ?? []);
}

/** Whether an interface is there of the owner that an element names: then he lives. */
function lives({ route }: Sockets, comment: string): boolean {
  const key = ownerKey(comment);
  return key !== undefined && findLabelled(route, key) !== undefined;
}

/** `tx`: of every store, where one is under way. */
function besideOthers(
  host: Host,
  record: MacvlanRecord,
  tx: StoreReader | undefined,
  work: (everyOther: () => readonly MooredPort[], lives: Lives) => void,
): void {
  const others = (locked: Host, inside: StoreReader): MooredPort[] =>
    portsOf(locked, otherRecords(locked, record, inside));
  withOthers(host, tx, others, (everyOther) => work(everyOther, (comment) => lives(host, comment)));
}

/** Guards what `port` says of the record; what of it is there stays. */
function stand(host: Host, record: MacvlanRecord, port: MooredPort, tx?: StoreReader): void {
  besideOthers(host, record, tx, (...others) => guardPort(host.netfilter, port, ...others));
}

/**
 * As it can be said before the kernel has made an address that only it can tell (RFC 7217): nothing is checked yet but
 * what a router or DHCP server would say.
 */
function provisional(port: MooredPort): MooredPort {
  return port.roams ? { ...port, spoofCheck: false, roams: false } : port;
}

/** Before the interface is raised. */
export function guard({ host }: Work, record: MacvlanRecord, undo: UndoStack): void {
  const port = mooredPort(record);
  if (port === undefined) return;
  undo.push('remove its guard', () => {
    writeAlone(host, (tx, ask) => {
      const { onSegment, ofAll } = lastOf(tx, ask, { name: KIND }, record);
      // Addresses that came later than the record are among them.
      removePortsOf(host.netfilter, new Set([ownerComment(record)]));
      unguardPort(host.netfilter, port, { onMaster: onSegment, ofAll });
    });
  });
  stand(host, record, provisional(port));
}

/**
 * Once the record is final: somebody may have taken the guard away since, and somebody else built it anew by what was
 * on record of this one then, which was not all.
 */
export function assureGuard({ host }: Work, record: MacvlanRecord): void {
  const port = presentPort(host.route, record);
  if (port === undefined || checkGuard(host.netfilter, port).length === 0) return;
  whileAttached({ readDetail }, host, record, (locked, tx, current) => guardAgain(locked, current, tx));
}

/** As far as it is known: of its addresses, a lease may come before the kernel has told the link-local one. */
function knownPort(record: MacvlanRecord): MooredPort | undefined {
  const port = mooredPort(record);
  return port && record.detail.linkLocal === undefined ? provisional(port) : port;
}

/** From the addresses that were known so far to those that are known now; `tx` as above. */
export function guardAddresses(
  { host }: Pick<Work, 'host'>,
  before: MacvlanRecord,
  after: MacvlanRecord,
  tx?: StoreReader,
): void {
  const [was, is] = [knownPort(before), knownPort(after)];
  if (was === undefined || is === undefined) return;
  besideOthers(host, after, tx, (...others) => changeAddresses(host.netfilter, was, is, ...others));
}

/** Guards one anew that has been in use: what of its guard is there stays. */
export function guardAgain(host: Host, record: MacvlanRecord, tx: StoreReader): void {
  const port = presentPort(host.route, record);
  if (port !== undefined) stand(host, record, port, tx);
}

/**
 * At the container's end of it, where also what goes to its neighbours on the master comes by; its root, who can look
 * through it, can take it away.
 */
export function guardContainer({ request }: Work, record: MacvlanRecord, undo: UndoStack): void {
  const port = mooredPort(record);
  if (port === undefined || !port.spoofCheck) return;
  const inside = (work: (netfilter: NetlinkSocket) => void): void =>
    withSocketIn(request.netns, 'netfilter', work);
  undo.push('remove its guard in the container', () =>
    inside((netfilter) => unguardInside(netfilter, request.key.ifname)),
  );
  inside((netfilter) => guardInside(netfilter, port));
}
