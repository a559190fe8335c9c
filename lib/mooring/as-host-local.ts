/** Configurations written for the reference's host-local, where netmoor's own store serves in its place. */
import { join } from 'node:path';
import { NetmoorError } from '../base/errors.ts';
import type { CniConfig } from '../cni/config.ts';
import { isJsonObject } from '../cni/json.ts';
import type { Json, JsonObject } from '../cni/json.ts';
import { loosened } from '../cni/loose-keys.ts';
import ipamSchema from '../../schemas/ipam.schema.json' with { type: 'json' };
import { isAutomatic } from '../../ipam/lease.ts';
import { HOST_LOCAL_DIRECTORY } from './host-local.ts';

const KEYS = Object.keys(ipamSchema.properties);
const RANGE_KEYS = Object.keys(ipamSchema.definitions.range.properties);

function withRanges(ranges: Json | undefined): Json | undefined {
  if (!Array.isArray(ranges)) return ranges;
  const range = (value: Json): Json => (isJsonObject(value) ? loosened(value, RANGE_KEYS).members : value);
  return ranges.map((set: Json) => (Array.isArray(set) ? set.map(range) : set));
}

/** The directory that `ipam.dataDir` names, if it is another than host-local's usual one. */
function ownDirectory(dataDir: Json | undefined): string | undefined {
  const named = typeof dataDir === 'string' && dataDir !== '' ? dataDir.replace(/\/+$/, '') : undefined;
  return named === HOST_LOCAL_DIRECTORY ? undefined : named;
}

/**
 * The same for netmoor's store, which is then in the directory of `dataDir`; where host-local's would be in its usual
 * place, in `usual`, or in the host's own store.
 */
export function fromHostLocal(
  ipam: JsonObject,
  usual?: string,
): { ipam: JsonObject; passedOver: readonly string[] } {
  const { members, passedOver } = loosened(ipam, KEYS);
  const { dataDir, ranges, ...rest } = members;
  const directory = ownDirectory(dataDir) ?? usual;
  return {
    ipam: {
      ...rest,
      ...(ranges === undefined ? {} : { ranges: withRanges(ranges) ?? [] }),
      type: 'netmoor',
      ...(directory === undefined ? {} : { dataDir: directory }),
    },
    passedOver,
  };
}

/** Where host-local itself keeps, or kept, a file for each address of the network. */
export function hostLocalFiles(ipam: JsonObject | undefined, network: string): string {
  const named = loosened(ipam ?? {}, KEYS).members['dataDir'];
  const usable = typeof named === 'string' && !named.includes('\0') ? ownDirectory(named) : undefined;
  return join(usable ?? HOST_LOCAL_DIRECTORY, network);
}

/** host-local does not choose subnets by itself. Throws NetmoorError('bad-config'). */
export function requireRanges({ ipam, runtimeConfig }: CniConfig): void {
  if (!isAutomatic(ipam ?? {}, runtimeConfig.ipRanges)) return;
  throw new NetmoorError(
    'bad-config',
    'ipam names no range to give addresses from',
    'add "ranges" or "subnet"; plugins of netmoor choose a subnet by themselves where "ipam" is left out',
  );
}
