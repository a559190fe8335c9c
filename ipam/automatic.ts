/** Subnets for a network whose config names none: those it was given the first time, or free ones. */
import { NetmoorError } from '../lib/base/errors.ts';
import { formatPrefix, parsePrefix } from '../lib/base/ip.ts';
import type { Prefix } from '../lib/base/ip.ts';
import type { NetworkRecord } from './record.ts';
import type { LeaseStore, StoreTransaction } from './store/store.ts';

export interface AutomaticRequest {
  /** The network as it will be on record, but for its subnets. */
  readonly network: Omit<NetworkRecord, 'subnets' | 'automatic'>;
  readonly machineId: string;
  /** Whether this host speaks IPv6. */
  readonly ipv6: boolean;
  /** What the host has routes to; asked only when subnets have to be picked. */
  readonly routed: () => readonly Prefix[];
}

/**
 * The network's subnets, put on record if they were not. Throws NetmoorError('pool-exhausted') when everything is in
 * use.
 */
export type SubnetChoice = (tx: StoreTransaction) => readonly string[];

/**
 * Prepares the choice, which is made inside the transaction that leases: two networks that are used for the first time
 * at the same moment would pick the same subnets otherwise.
 */
export async function subnetChoice(store: LeaseStore, request: AutomaticRequest): Promise<SubnetChoice> {
  const { network, machineId, ipv6, routed } = request;
  const { name } = network;
  const isKnown = store.read((tx) => tx.network(name))?.automatic === true;
  // Loaded only here: a network is made once, containers come and go.
  const picker = isKnown ? undefined : await import('./subnets.ts');
  return (tx) => {
    const known = tx.network(name);
    if (known?.automatic) return known.subnets;
    if (known !== undefined && known.subnets.length > 0) {
      // Somebody is on the network as it was: its record was made again from the kernel, or its config named ranges.
      tx.putNetwork({ ...known, automatic: true });
      return known.subnets;
    }
    if (picker === undefined) {
      throw new NetmoorError('try-again', `network ${name} was forgotten this very moment`, 'try again');
    }
    const others = tx.networks().flatMap((other) => other.subnets.map(parsePrefix));
    const taken = [...routed().filter((prefix) => prefix.length > 0), ...others];
    const { v4, v6 } = picker.pickSubnets({ network: name, taken, machineId });
    const subnets = [v4, ...(ipv6 ? [v6] : [])].map(formatPrefix);
    tx.putNetwork({ ...network, subnets, automatic: true });
    return subnets;
  };
}
