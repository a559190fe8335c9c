/** Which jobs one thread does at the same time. */
import { parseConfig } from '../../lib/cni/config.ts';
import { isJsonObject } from '../../lib/cni/json.ts';
import { DHCP_IPAM, ipamType } from '../../lib/mooring/ipam-type.ts';
import type { Job, PluginJob } from './jobs.ts';

/** Of a configuration; what is longer is not looked at, since the main loop does it. */
const BYTES = 64 * 1024;

/** Whether another's IPAM plugin may be run, which takes as long as it likes, and all that is done along with it. */
function mayAskOthers({ stdin }: PluginJob): boolean {
  if (stdin.length > BYTES) return true;
  try {
    const { ipam } = parseConfig(Buffer.from(stdin));
    const choice = ipamType(isJsonObject(ipam) ? ipam : undefined);
    return choice.kind === 'delegated' && choice.type !== DHCP_IPAM;
  } catch {
    return false;
  }
}

/** DELs of a plugin share what takes longest: the kernel's wait for an interface to be gone. */
export function togetherAs(job: Job): string | undefined {
  if (job.is !== 'plugin' || job.environment['CNI_COMMAND'] !== 'DEL' || mayAskOthers(job)) return undefined;
  return `DEL ${job.program}`;
}
