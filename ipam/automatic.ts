/** Subnets for a network whose config names none: those it was given the first time, or free ones. */
import { formatPrefix, parsePrefix } from '../lib/base/ip.ts';
import type { Prefix } from '../lib/base/ip.ts';
import type { LeaseStore } from './store/store.ts';

export interface AutomaticRequest {
  readonly network: string;
  readonly machineId: string;
  /** Whether this host speaks IPv6. */
  readonly ipv6: boolean;
  /** What the host has routes to; asked only when subnets have to be picked. */
  readonly routed: () => readonly Prefix[];
}

/**
 * Proposes subnets; settleSubnets(), in the transaction that leases, makes them the network's.
 * Throws NetmoorError('pool-exhausted') when everything is in use.
 */
export async function proposeSubnets(
  store: LeaseStore,
  request: AutomaticRequest,
): Promise<readonly string[]> {
  const { network, machineId, ipv6, routed } = request;
  const known = store.read((tx) => tx.network(network));
  if (known?.automatic) return known.subnets;
  // Loaded only here: a network is made once, containers come and go.
  const { pickSubnets } = await import('./subnets.ts');
  const networks = store.read((tx) => tx.networks()).flatMap(({ subnets }) => subnets.map(parsePrefix));
  const taken = [...routed().filter((prefix) => prefix.length > 0), ...networks];
  const { v4, v6 } = pickSubnets({ network, taken, machineId });
  return [v4, ...(ipv6 ? [v6] : [])].map(formatPrefix);
}
