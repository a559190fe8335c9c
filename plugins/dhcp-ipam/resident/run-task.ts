/** The tasks of this room (../tasks.ts), asked for with their own types. */
import type { Json, ResidentHost } from '../../../lib/cni/resident.ts';

/** Runs "dhcp-ipam NAME" in a thread. */
export async function runTask<T>(host: ResidentHost, name: string, argument: object): Promise<T> {
  return (await host.runTask(`dhcp-ipam ${name}`, argument as unknown as Json)) as T;
}
