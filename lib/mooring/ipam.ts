/** Who gives the addresses: what `ipam` and its `type` mean, said once for every verb of every kind. */
import { NetmoorError } from '../base/errors.ts';
import { parsePrefix } from '../base/ip.ts';
import type { Prefix } from '../base/ip.ts';
import type { CniConfig } from '../cni/config.ts';
import { readIpamConfig } from '../cni/ipam-config.ts';
import { pluginTypeProblem } from '../cni/names.ts';
import type { IpRanges } from '../cni/runtime-config.ts';
import { isAutomatic } from '../../ipam/lease.ts';
import type { PoolConfig } from '../../ipam/pool.ts';
import { ipamType } from './ipam-type.ts';
import type { IpamType } from './ipam-type.ts';

export type IpamChoice =
  | Exclude<IpamType, { kind: 'netmoor' }>
  /** `automatic`: neither the configuration nor the runtime names a range, netmoor picks the subnets. */
  | {
      readonly kind: 'netmoor';
      readonly automatic: boolean;
      readonly pool: PoolConfig;
      readonly extraRanges: IpRanges;
    };

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

/** The subnets that addresses are taken from, as far as they can be read; what is wrong with one the pool says. */
export function poolSubnets(ipam: IpamChoice): Prefix[] {
  if (ipam.kind !== 'netmoor') return [];
  const ranges = [...(ipam.pool.ranges ?? []).flat(), ipam.pool, ...ipam.extraRanges.flat()];
  return ranges.flatMap(({ subnet }) => {
    try {
      return subnet ? [parsePrefix(subnet)] : [];
    } catch {
      return [];
    }
  });
}
