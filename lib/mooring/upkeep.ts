/**
 * What becomes of attachments that stand: what a kind has to say for itself where their addresses change, where the
 * host is to be put right, and where the kernel has what no record accounts for. Each is loaded when it is asked for.
 */
import type { World } from '../cni/world.ts';
import type { SetElement } from '../nftables/element.ts';
import type { Netns } from '../system/netns.ts';
import type { AttachmentRecord, Detail, NetworkRecord } from '../../ipam/record.ts';
import type { StoreReader } from '../../ipam/store/store.ts';
import type { Host, Sockets } from './host.ts';

/** What bears netmoor's marks in the kernel, and no record accounts for. */
export interface Orphan {
  readonly kind: 'interface' | 'bridge' | 'address' | 'forwarding' | 'rules';
  /** In words: "bridge nm-web". */
  readonly what: string;
  readonly remove: () => void;
}

/** All that is on record on this host, for telling what nobody accounts for. */
export interface Books {
  readonly records: readonly AttachmentRecord[];
  readonly networks: readonly NetworkRecord[];
  /** What is to become of containers that live, and are on no record. */
  readonly living: 'spare' | 'sweep';
}

/** What a kind has in the kernel beside what is on record. */
export interface Sweeping {
  /** The nftables elements that the attachment accounts for; undefined: all that bear its name. */
  elements(record: AttachmentRecord): readonly SetElement[] | undefined;
  /**
   * Records of what the kernel shows to live, made from that alone: of a segment, or of all. They may be on record or
   * not.
   */
  recover(host: Sockets, world: World, segment?: string): readonly AttachmentRecord[];
  /** The segments that the kernel shows living attachments on, whether or not it tells whose they are. */
  segmentsInUse(host: Sockets): readonly string[];
  /**
   * In the order they are to be removed, of interfaces no more than `most`. An interface that exists proves that its
   * container lives: it, and what it is plugged into, is an orphan only when `books.living` says "sweep".
   */
  orphans(host: Sockets, books: Books, most: number): readonly Orphan[];
}

/** What goes by the addresses of an attachment, outside of the interface that has them. */
export interface Following<D extends Detail = Detail> {
  /**
   * From the addresses of `before` to those of `after`, when the network has given others: rules, labels, routes of the
   * host. Repeating it changes nothing. Inside the transaction that puts `after` on record, which is one of every
   * store, of which `host` asks the others (askOthers), before the interface gets them; `netns` is the container's.
   */
  moved(
    host: Host,
    tx: StoreReader,
    netns: Netns,
    before: AttachmentRecord<D>,
    after: AttachmentRecord<D>,
  ): void;
}

/**
 * What of the host's side is looked at and put right: the ways through other people's firewalls, and what the kernel
 * needs to forward at all; netmoor's own rules, too; interfaces, addresses and limits, too.
 */
export type Extent = 'ways' | 'rules' | 'all';

/** An attachment, and how the host differs from what was promised for it. */
export interface Amiss<D extends Detail = Detail> {
  readonly record: AttachmentRecord<D>;
  readonly differences: readonly string[];
}

/** Putting right on the host what was changed behind our back, from the records alone, by what an ADD does for it. */
export interface Repairing<D extends Detail = Detail> {
  /**
   * Those of these attachments with whom something is amiss on the host, as far as the extent goes, each with the
   * differences in the words of `verify`. What many share is looked at once.
   */
  amiss(host: Host, records: readonly AttachmentRecord<D>[], extent: Extent): readonly Amiss<D>[];
  /**
   * Mends what can be mended from the host's side; repeating it changes nothing, and flows that live are not touched.
   * Inside a write transaction of every store there is, of which `host` asks the others (askOthers).
   */
  mend(host: Host, tx: StoreReader, record: AttachmentRecord<D>, extent: Extent): void;
}
