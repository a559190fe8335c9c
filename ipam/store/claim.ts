/** What a published port claims of the host: ports of one of its addresses, of all of a family, or of all. */
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import type { PortRecord } from '../record.ts';
import type { PortClaim } from './store.ts';

export function claimOf(
  port: Pick<PortRecord, 'protocol' | 'hostIp' | 'hostPort'> & { count?: number },
): PortClaim {
  const claim = { protocol: port.protocol, first: port.hostPort, count: port.count ?? 1 };
  if (port.hostIp === undefined) return { ...claim, family: 0 };
  const host = parseAddress(port.hostIp);
  return host.value === 0n ? { ...claim, family: host.family } : { ...claim, family: host.family, host };
}

/** "tcp port 8080", "udp ports 5000-5009 of 192.0.2.1" */
export function formatClaim(claim: PortClaim): string {
  const last = claim.first + claim.count - 1;
  const ports = claim.count === 1 ? `port ${claim.first}` : `ports ${claim.first}-${last}`;
  const any = claim.family === 0 ? '' : ` of every IPv${claim.family} address`;
  return `${claim.protocol} ${ports}${claim.host ? ` of ${formatAddress(claim.host)}` : any}`;
}
