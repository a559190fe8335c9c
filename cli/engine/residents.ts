/** Those who live in the engine. */
import type { MakeResident } from '../../lib/cni/resident.ts';

export const RESIDENTS: readonly MakeResident[] = [];
