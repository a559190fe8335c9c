/** What the store remembers of DHCP clients, for tests. */
import type { Lease4, Lease6 } from '../../ipam/dhcp/lease.ts';
import { DHCP_LEASE_VERSION } from '../../ipam/dhcp/record.ts';
import type { ClientRecord, DhcpLeaseRecord } from '../../ipam/dhcp/record.ts';
import { BOOT } from './ipam-record.ts';

const HOUR = { renewAfter: 1800, rebindAfter: 3150, validFor: 3600 };

export function lease4(fields: Partial<Lease4> = {}, state = 'BOUND'): ClientRecord<Lease4> {
  const lease = {
    since: 5_000_000,
    ...HOUR,
    address: '192.0.2.7/24',
    server: '192.0.2.1',
    routes: [],
    dns: { nameservers: [], search: [] },
    ...fields,
  };
  return { wish: { mac: '02:00:00:00:00:07' }, data: { state }, lease };
}

export function lease6(fields: Partial<Lease6> = {}, state = 'BOUND'): ClientRecord<Lease6> {
  const lease = {
    since: 5_000_000,
    ...HOUR,
    server: '00030001020000000001',
    serverAddress: 'fe80::1',
    addresses: [{ address: '2001:db8::7' }],
    prefixes: [{ prefix: '2001:db8:8000::/56' }],
    dns: { nameservers: [], search: [] },
    ...fields,
  };
  return { wish: { duid: '0004' }, data: { state }, lease };
}

export function dhcpLease(containerId: string, fields: Partial<DhcpLeaseRecord> = {}): DhcpLeaseRecord {
  return {
    version: DHCP_LEASE_VERSION,
    network: 'lan',
    containerId,
    ifname: 'eth0',
    incarnation: `dhcp.${containerId}`,
    bootId: BOOT,
    host: { id: '', netns: '4:1' },
    createdAt: 1_700_000_000_000,
    netns: { path: `/run/netns/${containerId}`, inode: '4:2000' },
    link: { index: 2, mac: '02:00:00:00:00:07' },
    ...fields,
  };
}
