import type { Sweeping } from '../../lib/mooring/kind.ts';
export const sweeping: Sweeping = {
  elements: () => undefined,
  recover: () => [],
  segmentsInUse: () => [],
  orphans: () => [],
};
