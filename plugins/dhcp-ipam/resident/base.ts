/** What a client's record says that does not change with its leases. */
import type { DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';

export type Base = Omit<DhcpLeaseRecord, 'v4' | 'v6' | 'lapsesAt' | 'applied'>;

export function baseOf({ v4: _4, v6: _6, lapsesAt: _at, applied: _applied, ...base }: DhcpLeaseRecord): Base {
  return base;
}
