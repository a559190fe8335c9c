/** What reading a store that does not exist yet finds. */
import type { Address } from '../../lib/base/ip.ts';
import type { StoreReader } from './store.ts';

export const EMPTY: StoreReader = {
  attachment: () => undefined,
  incarnation: () => undefined,
  attachments: () => [],
  hasOther: () => false,
  network: () => undefined,
  networks: () => [],
  addressOwner: () => undefined,
  portOwner: () => undefined,
  portOwners: () => [],
  nextFree: (_scope: string, from: Address) => from,
  isTaken: () => false,
  countTaken: () => 0,
  recentlyReleased: () => [],
  cursor: () => undefined,
  dhcpLease: () => undefined,
  dhcpLeases: () => [],
  contents: () => ({ attachments: [], networks: [], dhcpLeases: [], addresses: [], ports: [] }),
  bookkeeping: () => [],
};
