/**
 * What netmoor's tables are asked to do for an attachment and for its network; values only, computed before anything
 * acts.
 */
import type { Address, Prefix } from '../base/ip.ts';
import type { Owner } from './owner.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

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
}

/**
 * Who may open connections into the bridge from elsewhere: anyone; the bridge's own members; nobody. Published ports
 * always.
 */
export type IngressPolicy = 'open' | 'same-bridge' | 'isolated';

export interface NetworkRules {
  readonly network: string;
  readonly bridge: string;
  readonly subnets: readonly Prefix[];
  readonly ingressPolicy: IngressPolicy;
}

export interface AttachmentRules {
  readonly owner: Owner;
  readonly rules: NetworkRules;
  /** The container's addresses that leave the network under the host's address. */
  readonly masquerade: readonly Address[];
  readonly forwards: readonly PortForward[];
  /** Nobody on the bridge may open connections to what is behind this port, the host's end of its link. */
  readonly isolatedPort?: string;
  /** The container may send from `mac` alone through `hostIfname`, the host's end of its link. */
  readonly macSpoofCheck?: { readonly hostIfname: string; readonly mac: string };
}
