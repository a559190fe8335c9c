/**
 * Leases of the reference's host-local plugin: a file for each address, DIRECTORY/NETWORK/ADDRESS, with the container's
 * id and, since 0.8, its interface (containernetworking/plugins plugins/ipam/host-local/backend/disk).
 */
import { existsSync, readdirSync } from 'node:fs';
import { AddressError, formatAddress, parseAddress } from '../base/ip.ts';
import { NetmoorError, isErrno } from '../base/errors.ts';
import { containerIdProblem, interfaceNameProblem } from '../cni/names.ts';
import type { World } from '../cni/world.ts';
import { withFileLock } from '../system/lock.ts';

/** Where it keeps them, unless `ipam.dataDir` says otherwise. */
export const HOST_LOCAL_DIRECTORY = '/var/lib/cni/networks';

export interface HostLocalLease {
  /** "10.1.0.2" */
  readonly address: string;
  readonly containerId: string;
  /** Undefined in files of old. */
  readonly ifname: string | undefined;
  readonly file: string;
}

function addressIn(name: string): string | undefined {
  try {
    return formatAddress(parseAddress(name));
  } catch (error) {
    if (error instanceof AddressError) return undefined;
    throw error;
  }
}

/** What is no file of host-local's, whatever its name: a FIFO, something huge. */
function contentOf(file: string, { files }: Pick<World, 'files'>): string {
  try {
    return files.read(file)?.toString() ?? '';
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'io') return '';
    throw error;
  }
}

function readLease(file: string, address: string, world: Pick<World, 'files'>): HostLocalLease | undefined {
  const [containerId = '', ifname = ''] = contentOf(file, world).split(/\r?\n/);
  if (containerIdProblem(containerId) !== undefined) return undefined;
  const named = ifname !== '' && interfaceNameProblem(ifname) === undefined;
  return { address, containerId, ifname: named ? ifname : undefined, file };
}

/** The networks that it has a directory for. */
export function hostLocalNetworks(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** Those of a network for which `wanted` is true; files that a crash left empty, and what is none, are nobody's. */
export function hostLocalLeases(
  directory: string,
  world: Pick<World, 'files'>,
  wanted: (address: string) => boolean = () => true,
): HostLocalLease[] {
  return world.files.list(directory).flatMap((name) => {
    const address = addressIn(name);
    if (address === undefined || !wanted(address)) return [];
    return readLease(`${directory}/${name}`, address, world) ?? [];
  });
}

/** Runs `work` while host-local itself cannot change the leases of the network. Throws NetmoorError('try-again'). */
export function withHostLocalLock<T>(directory: string, world: World, work: () => T): T {
  return withFileLock(`${directory}/lock`, world, work);
}

/** Gives back what host-local holds for an attachment, and nothing that somebody else has by now. */
export function releaseHostLocal(
  directory: string,
  { containerId, ifname }: { readonly containerId: string; readonly ifname: string },
  world: World,
): void {
  if (!existsSync(directory)) return;
  withHostLocalLock(directory, world, () => {
    for (const lease of hostLocalLeases(directory, world))
      if (lease.containerId === containerId && (lease.ifname ?? ifname) === ifname)
        world.files.remove(lease.file);
  });
}
