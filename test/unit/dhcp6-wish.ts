/** What clients of the tests want. */
import type { Wish6 } from '../../ipam/dhcp/v6/client.ts';

export const DUID = '000400112233445566778899aabbccddeeff';
export const IAID = 0x77aa0001;

export function wishOf(changes: Partial<Wish6> = {}): Wish6 {
  return {
    duid: DUID,
    iaid: IAID,
    addresses: true,
    prefixes: 0,
    stateless: false,
    rapidCommit: false,
    request: [23, 24],
    provide: {},
    patient: false,
    ...changes,
  };
}
