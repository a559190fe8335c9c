/**
 * What a main plugin has to say for itself. The life of an attachment, intent, lease, roll-back, record, DEL from the
 * record, death, GC, is the same for all (the other files of this folder); a kind knows its own configuration, what it
 * keeps on record, and what it does in the kernel. plugins/kinds.ts lists them.
 */
import type { Address } from '../base/ip.ts';
import type { UndoStack } from '../base/undo.ts';
import type { CniConfig } from '../cni/config.ts';
import type { CniRequest } from '../cni/environment.ts';
import type { PortMapping } from '../cni/port-mappings.ts';
import type { JsonObject } from '../cni/json.ts';
import type { CniInterface, CniRoute, Dns } from '../cni/result.ts';
import type { CniVersion } from '../cni/versions.ts';
import type { Link } from '../netlink/link-message.ts';
import type { Netns } from '../system/netns.ts';
import type {
  AddressRecord,
  AttachmentKey,
  AttachmentRecord,
  Detail,
  NetworkRecord,
  PortRecord,
} from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import type { Host, Sockets } from './host.ts';
import type { IpamChoice } from './ipam.ts';
import type { Sandbox } from './sandbox.ts';
import type { Barred, Strangers } from './strangers.ts';
import type { Following, Repairing, Sweeping } from './upkeep.ts';

/** What a configuration says of DHCP servers that a kind has the engine ask (lib/mooring/dhcp.ts). */
export interface DhcpWish {
  /** The keys of an `ipam` of dhcp-ipam, beside those that say of which family. */
  readonly ipam: JsonObject;
  /** Milliseconds that servers are waited for. */
  readonly timeout: number;
}

/** Of which servers: DHCP, DHCPv6, both at once; of those of DHCPv6 addresses, or all but addresses. */
export interface DhcpAsk {
  readonly ip: 4 | 6 | 'both';
  readonly stateless?: boolean;
  /** Milliseconds; default: as the configuration says. */
  readonly timeout?: number;
}

/** What every kind's configuration says, whatever else is in it. */
export interface MooringConfig {
  readonly ipam: IpamChoice;
  /** DHCP leases that the kind has the engine ask for itself. */
  readonly dhcp?: DhcpWish | undefined;
  /** What the runtime asks for this attachment. */
  readonly mac: string | undefined;
  readonly requestedAddresses: readonly Address[];
  /** Asked for as well, but of the LAN's routers: no IPAM plugin is to hear of them. */
  readonly askedOfRouters?: readonly Address[];
  readonly containerName: string | undefined;
  readonly portMappings: readonly PortMapping[];
}

/** What every kind's detail says. */
export interface MooringDetail extends Detail {
  /** Prefixes that the addresses are in. */
  readonly subnets: readonly string[];
  /** Routes in the container, as the CNI result lists them. */
  readonly routes: readonly CniRoute[];
}

/** What judging whether an attachment is dead needs of the host. */
export type Judge = Pick<Host, 'route' | 'world'>;

/** What later plugins of the chain said about the interface, in the result that CHECK is given. */
export interface Told {
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
}

/** What an IPAM answered, ours or a delegate. */
export interface Leased {
  readonly addresses: readonly AddressRecord[];
  /** undefined: none configured, so that default routes are the kind's to add. */
  readonly routes: readonly CniRoute[] | undefined;
  readonly dns: Dns;
  /** Nobody remembers another holder of one of the addresses, nor waits for it; absent: who knows. */
  readonly unused?: boolean;
}

export interface Lessor {
  /**
   * All or nothing, in one request: an attachment has one lease. What was leased goes back by `undo`. Throws
   * NetmoorError, of the engine's answer DelegateError.
   */
  lease(ask: DhcpAsk, undo: UndoStack): Leased;
}

/** What an attachment will look like. */
export interface Plan<D> {
  readonly addresses: readonly AddressRecord[];
  /** Published beside those that the runtime asks for. */
  readonly ports?: readonly PortRecord[];
  readonly detail: D;
}

/** What is asked for. */
export interface Request<C> {
  readonly key: AttachmentKey;
  readonly config: C;
  readonly segment: string;
  readonly netns: Netns;
  /** Of the result: an early one cannot say everything. */
  readonly cniVersion: CniVersion;
  /** Where the configuration wants leases of DHCP, for the kind to ask for. */
  readonly lessor?: Lessor;
  /** Not to be given out, where there are strangers on the segment. */
  readonly barred?: Barred;
}

/** What goes into the record before the interface exists. */
export interface Identity {
  readonly hostIfname?: string;
  readonly mac: string;
  readonly mtu?: number;
}

/** What an attachment turned out to be, beyond its plan: what the network itself has given. */
export interface Found<D> extends Plan<D> {
  /** Of the interface, where it could not be chosen. */
  readonly mac?: string;
  /** Routes that the kernel follows by the network's word, for the result alone: they come and go. */
  readonly routes: readonly CniRoute[];
  /** False: DHCP servers were not asked after all, and the record need not remember how. */
  readonly leased?: boolean;
  /** What the network says of name servers; counts where whoever gave the addresses says nothing. */
  readonly dns: Dns;
}

/** Where an attachment stands when its interface is there, and on what terms the rest is done. */
export interface Connection<D extends MooringDetail> {
  /** Index of the interface on the host, if there is one. */
  readonly hostIfindex?: number;
  /**
   * Raises the interface without addresses, for an IPAM plugin that needs a link; `configure` follows. Left out where
   * addresses come before the link.
   */
  raise(undo: UndoStack): void | Promise<void>;
  /**
   * Gives the interface its addresses and routes, makes the rules, and waits until all can be used; `unused` addresses
   * need not be announced. Returns what the record is to say instead, where only the network could tell.
   */
  configure(
    record: AttachmentRecord<D>,
    undo: UndoStack,
    unused: boolean,
  ): Found<D> | undefined | Promise<Found<D> | undefined>;
  /**
   * Once the record is final: what others have taken away meanwhile, and put back for those only whose records were
   * final by then, is made again.
   */
  assure?(record: AttachmentRecord<D>): void;
  /** For the CNI result; that with a sandbox is the container's, whose the addresses are. */
  interfaces(record: AttachmentRecord<D>): readonly CniInterface[];
}

/** Whether nothing else is on record beside an attachment: in its network, on its segment, of its kind at all. */
export interface Last {
  readonly ofNetwork: boolean;
  readonly onSegment: boolean;
  readonly ofAll: boolean;
}

/** One thing to take away, which may be gone already. */
export interface Removal {
  readonly what: string;
  /** The name of the step when it is done. */
  readonly step: string;
  readonly remove: () => void;
  /** Interfaces to delete after that, for whoever can delete those of several attachments at once. */
  readonly links?: () => readonly Link[];
}

/**
 * Methods throughout: kinds of different configurations and details are put into one list. Those that are asynchronous
 * may load what no other verb needs.
 */
export interface Kind<C extends MooringConfig = MooringConfig, D extends MooringDetail = MooringDetail> {
  /** Of the plugin; records bear it. */
  readonly name: string;
  /** One line that says what it is. */
  readonly about: string;
  /** What its segments are. */
  readonly segments: 'bridge' | 'master';
  /** It has the engine ask DHCP servers itself (MooringConfig.dhcp), also where `ipam` names dhcp-ipam. */
  readonly asksEngine?: boolean;

  /** Checks everything that can be checked without the host. Pure. Throws NetmoorError. */
  readConfig(config: CniConfig, request: CniRequest): Promise<C>;
  /** What the configuration leaves to the host is looked up there, and stays. */
  complete(host: Sockets & Judge, config: C, network: string): C;
  /** The name of the bridge or master. */
  segmentOf(config: C, network: string): string;
  /** The lease scope: addresses are held once in each. */
  scopeOf(segment: string): string;
  /**
   * Who else is on the segment, where addresses of our own store are given out; undefined when nobody is, which is to
   * be told at next to no cost.
   */
  strangers?(host: Host, config: C, key: AttachmentKey, segment: string): Promise<Strangers | undefined>;
  /** Whether the addresses are known before the interface is made: no, when a delegate wants to see it. */
  addresses(config: C): 'before-link' | 'after-link';
  identify(key: AttachmentKey, config: C): Identity;
  /** Pure. */
  plan(config: C, leased: Leased): Plan<D>;
  /**
   * What the record of the network says beyond what is the same for all; `dns`: of whoever gave the addresses. Pure.
   */
  ofNetwork?(config: C, dns: Dns, record: AttachmentRecord<D>): Pick<NetworkRecord, 'dhcpServer'>;
  /** Reads what this or another version kept. Throws NetmoorError('store') for what it cannot make sense of. */
  readDetail(detail: Detail): D;

  /**
   * Throws NetmoorError when others have what the record would use: RivalError when it is another network. Inside the
   * transaction that is to put it.
   */
  refuse?(host: Host, tx: StoreReader, record: AttachmentRecord<D>): void;
  /** The record as it can be claimed: some of its ports may have to stand by. Inside the transaction that puts it. */
  claim(tx: StoreReader, record: AttachmentRecord<D>): AttachmentRecord<D>;
  /** What its record, final by now, has got more than was there when it was configured. Inside the transaction. */
  settle(host: Host, tx: StoreReader, before: AttachmentRecord<D>, after: AttachmentRecord<D>): void;
  /** Makes the interface; every effect pushes its undo. */
  connect(
    host: Host,
    request: Request<C>,
    sandbox: Sandbox,
    record: AttachmentRecord<D>,
    undo: UndoStack,
  ): Promise<Connection<D>>;

  /** The attachment's own, in the order it is to go; when it is not the last on its segment. */
  own(host: Host, record: AttachmentRecord<D>): readonly Removal[];
  /**
   * What goes with the last of a network, a segment, a host. Called inside the transaction that forgets the record: an
   * attachment that begins meanwhile waits for it, and then makes what it needs anew. `whole`: the attachment's own is
   * there still, and goes along.
   */
  leaveShared(host: Host, record: AttachmentRecord<D>, last: Last, whole: boolean): void;
  /** Whether the segment and the record of the network stay after the last attachment. */
  staysBehind(host: Host, record: AttachmentRecord<D>): boolean;
  /** Of a network that nobody is attached to, whose segment is there: whether it stays for nothing. */
  isIdle?(host: Sockets, network: NetworkRecord): boolean;
  /** It is of no runtime, which could not vouch for it: it ends by itself. */
  isNoContainer?(record: AttachmentRecord): boolean;
  /** Inside the transaction that has forgotten an attachment: what others of the container take over from it. */
  passOn(host: Host, tx: StoreTransaction, gone: AttachmentKey): void;
  /** After all is gone: flows that would go on. */
  afterwards(host: Host, record: AttachmentRecord<D>): void;
  /** Whether the kernel has an interface that the key alone tells to be the attachment's. */
  isLeft(host: Sockets, key: AttachmentKey): boolean;
  /** Removes what the key alone tells: there is no record, or nobody understands it. Inside a write transaction. */
  removeByKey(host: Sockets, key: AttachmentKey): void;

  /** Why the kernel shows that an attachment is dead; undefined when it does not. */
  deathOf(judge: Judge, record: AttachmentRecord): string | undefined;
  /** Whether its address is free for a container that would get none otherwise: nobody has been promised it. */
  makesWay?(record: AttachmentRecord): boolean;
  /** How the host differs from what was promised, in words. */
  verify(host: Host, record: AttachmentRecord<D>): Promise<readonly string[]>;
  /** The same inside the container. */
  verifyInside(netns: Netns, record: AttachmentRecord<D>, told: Told): Promise<readonly string[]>;
  /** Tries the kernel, and what the host has to have. Throws NetmoorError when an ADD would fail for it. */
  probe(host: Host, config: C): Promise<void>;
  /** What bringing the host after addresses that have changed takes; loaded when a lease has. */
  following(): Promise<Following<D>>;
  /** What putting the host right takes; loaded when it is asked for. Absent: nothing can be. */
  repairing?(): Promise<Repairing<D>>;
  /** What telling orphans, and what lives unrecorded, takes; loaded when somebody looks. */
  sweeping(): Promise<Sweeping>;
}
