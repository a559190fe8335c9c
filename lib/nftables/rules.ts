/**
 * What netmoor's tables are asked to do for an attachment and for its network; values only, computed before anything
 * acts.
 */
import type { Address, Prefix } from '../base/ip.ts';
import type { TransportProtocol } from '../base/transport.ts';
import type { Owner } from './owner.ts';

export type Protocol = TransportProtocol;

/**
 * `count` consecutive ports from `hostPort` on go to `container`, from `containerPort` on. Without `hostIp` on every
 * address of the host in the container's family.
 */
export interface PortForward {
  readonly protocol: Protocol;
  readonly hostIp?: Address;
  readonly hostPort: number;
  readonly count: number;
  readonly container: Address;
  readonly containerPort: number;
  /** Published for packets alone that fit one of these. */
  readonly only?: readonly Circumstance[];
}

/** Addresses of one family, both ends included. */
export interface Span {
  readonly first: Address;
  readonly last: Address;
}

/** What a packet has to be like: all that is said must hold. Addresses are of the family of the port's container. */
export interface Circumstance {
  readonly source?: Span;
  readonly destination?: Span;
  /** The interface it comes in by; "eth*" for all whose names begin so. */
  readonly ifname?: string;
}

/** What leaves from `address` gets `to` as its source, or the address of the interface; by all interfaces, or some. */
export interface SourceTranslation {
  readonly address: Address;
  readonly to?: Address;
  readonly uplinks?: readonly string[];
}

/** All that comes for `public` goes to `container`, and leaves it as `public`. */
export interface OneToOne {
  readonly public: Address;
  readonly container: Address;
}

/** Where a program of the host listens. */
export interface Listener {
  readonly address: Address;
  readonly port: number;
}

/** Transport protocol (IANA number) and ports, both ends included. */
export interface HostService {
  readonly protocol: number;
  readonly firstPort: number;
  readonly lastPort: number;
}

/**
 * Who may open connections into the bridge from elsewhere: anyone; the bridge's own members; nobody. Published ports
 * always.
 */
export type IngressPolicy = 'open' | 'same-bridge' | 'isolated';

/** What containers reach of the host: transport protocols (IANA numbers), and services. */
export interface HostAccess {
  readonly protocols: readonly number[];
  readonly services: readonly HostService[];
}

export interface NetworkRules {
  readonly network: string;
  readonly bridge: string;
  readonly subnets: readonly Prefix[];
  readonly ingressPolicy: IngressPolicy;
  /** Containers of other networks of netmoor's cannot open connections into this, but from the bridges `joined`. */
  readonly apart?: boolean;
  readonly joined?: readonly string[];
  /**
   * Whose address a published port's packets have for the container: of neighbours and of the host's loopback ours, the
   * sender's otherwise (default); always the sender's; never.
   */
  readonly redirectedSource?: 'kept' | 'ours';
  /** What leaves the bridge leaves by these interfaces alone; "tun*" for all whose names begin so; [] for none. */
  readonly egress?: readonly string[];
  /** Programs of the host that take the network's TCP and DNS, one for each family; goes with egress. */
  readonly proxy?: { readonly tcp: readonly Listener[]; readonly dns: readonly Listener[] };
  /** What alone containers reach of the host. Absent: all. */
  readonly hostAccess?: HostAccess;
}

export interface AttachmentRules {
  readonly owner: Owner;
  readonly rules: NetworkRules;
  /** The container's addresses that leave the network under the host's address. */
  readonly masquerade: readonly Address[];
  readonly sources?: readonly SourceTranslation[];
  readonly oneToOne?: readonly OneToOne[];
  readonly forwards: readonly PortForward[];
  /** Nobody on the bridge may open connections to what is behind this port, the host's end of its link. */
  readonly isolatedPort?: string;
  /** The container may send from `mac` alone through `hostIfname`, the host's end of its link. */
  readonly macSpoofCheck?: { readonly hostIfname: string; readonly mac: string };
  /** Nor, with macSpoofCheck, from other addresses than these, link-local ones included. */
  readonly addressSpoofCheck?: readonly Address[];
  /** Behind this port, the host's end of its link, there is no router and no DHCP server. */
  readonly clientPort?: string;
}
