/** Taking an attachment down from its record alone: no namespace, no config and no previous result are needed. */
import { NetmoorError, errorText, isErrno } from '../../lib/base/errors.ts';
import type { UndoFailure } from '../../lib/base/undo.ts';
import { flushUdp } from '../../lib/netlink/conntrack.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { removeLinks } from '../../lib/netlink/link-removal.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { withdrawForwarding } from '../../lib/nftables/forward.ts';
import { removeAttachment } from '../../lib/nftables/table.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import type { ProcessIdentity } from '../../lib/system/process.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { AttachmentFilter, LeaseStore, StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import { releaseBridge } from './bridge.ts';
import { detailOf, rulesOf } from './detail.ts';
import { hostIfnameFor, ifbNameFor } from './names.ts';
import { takeOver } from './standby.ts';

/** The host that attachments are made on and taken from: sockets held open in its namespace, and its store. */
export interface Host {
  readonly route: NetlinkSocket;
  readonly netfilter: NetlinkSocket;
  readonly store: LeaseStore;
  /** This process, to be named in the records it works on. */
  readonly worker: ProcessIdentity | undefined;
  /** A named step has been reached: where the crash tests let the process die. */
  readonly step: (name: string) => void;
  /** What the attachments of this host's other stores need of the nftables tables, for when these are built anew. */
  readonly elsewhere: () => AttachmentRules[];
  /** Gives addresses back to the IPAM plugin that the record names. */
  readonly releaseDelegated: (record: AttachmentRecord) => void;
}

/** The links of these names, each of the kind that we give them; a stranger's of another kind is left alone. */
function linksNamed({ route }: Pick<Host, 'route'>, names: readonly (readonly [string, string])[]): Link[] {
  return names.flatMap(([name, kind]) => {
    const link = findLink(route, name);
    return link && link.kind === kind ? [link] : [];
  });
}

/** The attachment's interfaces on the host. An IFB it has only when its outgoing traffic is limited. */
function ownLinks(host: Pick<Host, 'route'>, record: AttachmentRecord): Link[] {
  const ifb = detailOf(record).bandwidth ? [[ifbNameFor(record), 'ifb'] as const] : [];
  return linksNamed(host, [[record.hostIfname ?? hostIfnameFor(record), 'veth'], ...ifb]);
}

/** An attachment's own rules, whoever else there is. */
const NOT_LAST = { ofNetwork: false, onBridge: false, ofAll: false };

/**
 * What goes with the last attachment of a network, of a bridge, of the host. Called inside the transaction that forgets
 * the record: an attachment that begins meanwhile waits for it, and then makes what it needs anew. `everything`: the
 * attachment's own rules and interfaces are still there.
 */
function removeShared(host: Host, tx: StoreTransaction, record: AttachmentRecord, everything: boolean): void {
  const last = soleAttachment(tx, record);
  const { keepBridge } = detailOf(record);
  if (everything || last.ofNetwork || last.onBridge) removeAttachment(host.netfilter, rulesOf(record), last);
  const links = everything ? ownLinks(host, record) : [];
  if (last.onBridge && !keepBridge) leaveBridge(host, record, links);
  else removeLinks(host.route, links);
  // The record of a network whose bridge stays is what tells that bridge from one left behind.
  const stays = keepBridge || tx.network(record.network)?.automatic !== false;
  if (last.ofNetwork && !stays) tx.removeNetwork(record.network);
}

/** Whether nothing else is on record beside this attachment: in its network, on its bridge, at all. */
export function soleAttachment(
  tx: StoreReader,
  record: AttachmentRecord,
): { ofNetwork: boolean; onBridge: boolean; ofAll: boolean } {
  const sole = (filter: AttachmentFilter): boolean =>
    !tx.hasOther(record, { ...filter, plugin: 'bridge-nat' });
  return {
    ofNetwork: sole({ network: record.network }),
    onBridge: record.bridge !== undefined && sole({ bridge: record.bridge }),
    ofAll: sole({}),
  };
}

/** What the bridge itself was given: the way through the host's own firewall, its addresses, its existence. */
export function leaveBridge(
  host: Pick<Host, 'route' | 'netfilter'>,
  record: AttachmentRecord,
  along: readonly Link[] = [],
): void {
  if (record.bridge === undefined || detailOf(record).keepBridge) return;
  withdrawForwarding(host.netfilter, record.bridge);
  releaseBridge(host.route, record.bridge, along);
}

/** Ends the UDP flows of its published ports, which would go on to where they went so far. */
export function flushFlows(host: Host, record: AttachmentRecord): void {
  const udp = rulesOf(record).forwards.filter((forward) => forward.protocol === 'udp');
  if (udp.length > 0) flushUdp(host.netfilter, udp);
}

/**
 * Marks the record as being detached; false when the container has been attached anew since it was read. A record that is
 * gone (another process was faster, or the store has dropped it after a reboot) stays gone: removing twice does no harm.
 */
function markDetaching({ store, worker }: Host, record: AttachmentRecord): boolean {
  return store.write((tx) => {
    const current = tx.attachment(record);
    if (current === undefined) return true;
    if (current.createdAt !== record.createdAt) return false;
    tx.putAttachment({ ...record, state: 'detaching', ...(worker ? { worker } : {}) });
    return true;
  });
}

/**
 * Takes one attachment down, going on after failures. When there were any the record stays, marked "detaching", and the next
 * DEL or GC tries again.
 */
export function detach(host: Host, record: AttachmentRecord): UndoFailure[] {
  const failures: UndoFailure[] = [];
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      failures.push({ what, error });
    }
  };
  if (!markDetaching(host, record)) return failures;
  host.step('detach: marked');
  attempt('give its addresses back', () => host.releaseDelegated(record));
  host.step('detach: addresses given back');
  // The last one's rules and interfaces go together with tables and bridge, under the lock; any other's keep nobody waiting.
  // Rules before interfaces: the kernel takes deleted elements apart in the background (nf_tables_trans_destroy_work), closing
  // a netfilter socket waits for that, and deleting an interface waits as long for its own: so the two run side by side.
  const last = host.store.read((tx) => soleAttachment(tx, record).onBridge);
  if (!last) {
    attempt('remove its rules', () => removeAttachment(host.netfilter, rulesOf(record), NOT_LAST));
    host.step('detach: rules removed');
    attempt('delete its interfaces', () => removeLinks(host.route, ownLinks(host, record)));
  }
  host.step('detach: interfaces seen to');
  attempt('forget it', () => {
    if (failures.length > 0) return;
    host.store.write((tx) => {
      removeShared(host, tx, record, last);
      host.step('detach: shared things seen to');
      tx.removeAttachment(record);
      takeOver(tx, host, record);
    });
  });
  host.step('detach: forgotten');
  attempt('end its UDP flows', () => flushFlows(host, record));
  return failures;
}

/** DEL of something the store does not know: what only its name could have left behind is removed. */
export function detachUnknown(host: Host, key: AttachmentKey): void {
  const named = [
    [hostIfnameFor(key), 'veth'],
    [ifbNameFor(key), 'ifb'],
  ] as const;
  removeLinks(host.route, linksNamed(host, named));
}

/** One error for what could not be taken down; undefined when all could. */
export function teardownError(
  key: AttachmentKey,
  failures: readonly UndoFailure[],
): NetmoorError | undefined {
  const first = failures[0];
  if (first === undefined) return undefined;
  const list = failures.map(({ what, error }) => `${what}: ${errorText(error)}`).join('; ');
  const kind = isErrno(first.error, 'EPERM', 'EACCES') ? 'privilege' : 'kernel';
  return new NetmoorError(
    kind,
    `could not fully detach ${formatKey(key)}: ${list}`,
    'it stays on record; "netmoor gc" tries again',
    {
      cause: first.error,
    },
  );
}
