/** Who gives the addresses: what `ipam` and its `type` mean, said once for every verb of every kind. */
import { NetmoorError } from '../base/errors.ts';
import type { CniConfig } from '../cni/config.ts';
import { readIpamConfig } from '../cni/ipam-config.ts';
import type { JsonObject } from '../cni/json.ts';
import { pluginTypeProblem } from '../cni/names.ts';
import type { IpRanges } from '../cni/runtime-config.ts';
import { isAutomatic } from '../../ipam/lease.ts';
import type { PoolConfig } from '../../ipam/pool.ts';

const OWN_IPAM = 'netmoor';

/** By the type alone, which is all that DEL, GC and the choice of a store need. */
export type IpamType =
  /** Nobody: a layer 2 network. */
  | { readonly kind: 'none' }
  /** Our own store. */
  | { readonly kind: 'netmoor' }
  /** Another plugin, which reads its keys itself. */
  | { readonly kind: 'delegated'; readonly type: string };

export type IpamChoice =
  | Exclude<IpamType, { kind: 'netmoor' }>
  /** `automatic`: neither the configuration nor the runtime names a range, netmoor picks the subnets. */
  | {
      readonly kind: 'netmoor';
      readonly automatic: boolean;
      readonly pool: PoolConfig;
      readonly extraRanges: IpRanges;
    };

/** `{}` means no addresses, as the reference documents it; without the key, netmoor chooses. */
export function ipamType(ipam: JsonObject | undefined): IpamType {
  if (ipam === undefined) return { kind: 'netmoor' };
  const type = ipam['type'] ?? '';
  if (type === '' && Object.keys(ipam).every((key) => key === 'type')) return { kind: 'none' };
  // A type that is no string is refused where the keys are read.
  const another = typeof type === 'string' && type !== '' && type !== OWN_IPAM;
  return another ? { kind: 'delegated', type } : { kind: 'netmoor' };
}

/** Throws NetmoorError 'bad-config' or 'unsupported-field'. */
export function readIpamChoice({ ipam, runtimeConfig }: CniConfig): IpamChoice {
  const choice = ipamType(ipam);
  if (choice.kind === 'netmoor') {
    const pool = readIpamConfig(ipam ?? {});
    const extraRanges = runtimeConfig.ipRanges;
    return { kind: 'netmoor', automatic: isAutomatic(pool, extraRanges), pool, extraRanges };
  }
  const problem = choice.kind === 'delegated' ? pluginTypeProblem(choice.type) : undefined;
  if (problem !== undefined)
    throw new NetmoorError('bad-config', `ipam.type: ${problem}`, 'name an IPAM plugin in CNI_PATH');
  return choice;
}

/** The directory of the store that a configuration names as host-local's `dataDir`; undefined: the host's own. */
export function dataDirOf(ipam: JsonObject | undefined): string | undefined {
  const named = ipam?.['dataDir'];
  // DEL goes on with one that is of no use as with none.
  const usable = typeof named === 'string' && named !== '' && !named.includes('\0');
  return usable && ipamType(ipam).kind === 'netmoor' ? named : undefined;
}
