/** Who gives the addresses, by the type alone: all that DEL, GC and the choice of a store need. */
import type { JsonObject } from '../cni/json.ts';

const OWN_IPAM = 'netmoor';
/** The plugin of ours that asks DHCP servers. */
export const DHCP_IPAM = 'dhcp-ipam';

/** By the type alone, which is all that DEL, GC and the choice of a store need. */
export type IpamType =
  /** Nobody: a layer 2 network. */
  | { readonly kind: 'none' }
  /** Our own store. */
  | { readonly kind: 'netmoor' }
  /** Another plugin, which reads its keys itself. */
  | {
      readonly kind: 'delegated';
      readonly type: string;
      /** It asks DHCPv6 servers, for addresses or for all else. */
      readonly dhcp6?: 'stateful' | 'stateless';
    };

/** What dhcp-ipam asks of DHCPv6 servers by such an `ipam`: addresses, all else, or nothing. */
export function dhcp6Of(ipam: JsonObject | undefined): 'stateful' | 'stateless' | undefined {
  if (ipam?.['type'] !== DHCP_IPAM || (ipam['ip'] !== 6 && ipam['ip'] !== 'both')) return undefined;
  return ipam['stateless'] === true ? 'stateless' : 'stateful';
}

/** `{}` means no addresses, as the reference documents it; without the key, netmoor chooses. */
export function ipamType(ipam: JsonObject | undefined): IpamType {
  if (ipam === undefined) return { kind: 'netmoor' };
  const type = ipam['type'] ?? '';
  if (type === '' && Object.keys(ipam).every((key) => key === 'type')) return { kind: 'none' };
  // A type that is no string is refused where the keys are read.
  const another = typeof type === 'string' && type !== '' && type !== OWN_IPAM;
  if (!another) return { kind: 'netmoor' };
  const dhcp6 = dhcp6Of(ipam);
  return { kind: 'delegated', type, ...(dhcp6 === undefined ? {} : { dhcp6 }) };
}

/** The directory of the store that a configuration names as host-local's `dataDir`; undefined: the host's own. */
export function dataDirOf(ipam: JsonObject | undefined): string | undefined {
  const named = ipam?.['dataDir'];
  // DEL goes on with one that is of no use as with none.
  const usable = typeof named === 'string' && named !== '' && !named.includes('\0');
  return usable && ipamType(ipam).kind === 'netmoor' ? named : undefined;
}
