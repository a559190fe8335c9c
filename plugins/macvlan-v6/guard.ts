/** Guard rails of an attachment: on its master for what leaves the host, in the container for all else it sends. */
import type { UndoStack } from '../../lib/base/undo.ts';
import { writeAlone } from '../../lib/mooring/host.ts';
import type { Host, Sockets } from '../../lib/mooring/host.ts';
import { parseKey } from '../../lib/mooring/label.ts';
import { knownRecords, lastOf } from '../../lib/mooring/records.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { guardInside, guardPort, unguardPort } from '../../lib/nftables/guard/guard.ts';
import type { MooredPort } from '../../lib/nftables/guard/port.ts';
import { inNetns } from '../../lib/system/netns.ts';
import { formatKey } from '../../ipam/record.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import type { Work } from './connect.ts';
import { KIND, readDetail } from './detail.ts';
import type { MacvlanRecord } from './detail.ts';
import { mooredPort } from './moored.ts';
import { findLabelled } from './own.ts';

/** Those of all other attachments, of every store: for a table that has to be built again. */
function everyOther(host: Host, record: MacvlanRecord): MooredPort[] {
  const read = (reader: StoreReader): MacvlanRecord[] =>
    knownRecords({ name: KIND, readDetail }, reader.attachments({ plugin: KIND }));
  const all = [host.store.read(read), ...host.askOthers(read, [])].flat();
  return all
    .filter((other) => formatKey(other) !== formatKey(record) && other.bootId === host.world.bootId)
    .flatMap((other) => mooredPort(other) ?? []);
}

/** Whether an interface is there of the owner that an element names: then he lives. */
function lives({ route }: Sockets, comment: string): boolean {
  const key = parseKey(comment.replaceAll('%22', '"'));
  return key !== undefined && findLabelled(route, key) !== undefined;
}

function writeGuard({ host }: Work, record: MacvlanRecord): MooredPort | undefined {
  const port = mooredPort(record);
  if (port === undefined) return undefined;
  guardPort(
    host.netfilter,
    port,
    () => everyOther(host, record),
    (comment) => lives(host, comment),
  );
  return port;
}

/** In the container it can be looked through by its root alone, who has only himself to deceive. */
function writeInside({ request }: Work, port: MooredPort): void {
  const netfilter = inNetns(request.netns, () => NetlinkSocket.open('netfilter'));
  try {
    guardInside(netfilter, port);
  } finally {
    netfilter.close();
  }
}

/** Before the interface is raised. */
export function guard(work: Work, record: MacvlanRecord, undo: UndoStack): void {
  const port = mooredPort(record);
  if (port === undefined) return;
  const { host } = work;
  undo.push('remove its guard', () => {
    writeAlone(host, (tx, ask) => {
      const { onSegment, ofAll } = lastOf(tx, ask, { name: KIND }, record);
      unguardPort(host.netfilter, port, { onMaster: onSegment, ofAll });
    });
  });
  writeGuard(work, record);
  if (port.spoofCheck) writeInside(work, port);
}

/** When more of its addresses are known. */
export function guardAgain(work: Work, record: MacvlanRecord): void {
  const port = writeGuard(work, record);
  if (port?.spoofCheck) writeInside(work, port);
}
