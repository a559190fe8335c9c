/** What the tool gives IPAM plugins of others: what they need to know of an attachment stands in its record. */
import type { Surroundings } from '../lib/mooring/host.ts';

/** Where programs are on a host; a delegate may want some. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** In nobody's name. */
export function quietly(note: (line: string) => void): Surroundings {
  return { path: [], environment: { PATH }, note };
}
