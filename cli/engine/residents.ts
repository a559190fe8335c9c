/** Those who live in the engine. */
import type { MakeResident } from '../../lib/cni/resident.ts';
import { makeDhcpServers } from '../../plugins/bridge-nat/dhcp-server/resident.ts';
import { makeEgressWatch } from '../../plugins/bridge-nat/egress/resident.ts';
import { makeDhcpResident } from '../../plugins/dhcp-ipam/resident/resident.ts';
import { makeRepairs } from '../repair/resident.ts';

export const RESIDENTS: readonly MakeResident[] = [
  makeDhcpResident,
  makeDhcpServers,
  makeRepairs,
  makeEgressWatch,
];
