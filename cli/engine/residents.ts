/** Those who live in the engine. */
import type { MakeResident } from '../../lib/cni/resident.ts';
import { makeDhcpResident } from '../../plugins/dhcp-ipam/resident/resident.ts';

export const RESIDENTS: readonly MakeResident[] = [makeDhcpResident];
