/** The keys `vlan`, `vlanTrunk` and `preserveDefaultVlan`, with the reference's meaning (bridge-vlans.ts). */
import { NetmoorError } from '../../../lib/base/errors.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import type { BridgeNatDetail } from '../../../schemas/compiled/bridge-nat-detail.js';

export type VlansWanted = NonNullable<BridgeNatDetail['vlans']>;

/** What the bridge gives every new port, unless an administrator has changed that (IFLA_BR_VLAN_DEFAULT_PVID). */
export const DEFAULT_VLAN = 1;

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

type TrunkItem = NonNullable<BridgeNatInput['vlanTrunk']>[number];

function rangesOf({ id, minID, maxID }: TrunkItem): VlansWanted['trunk'] {
  if ((minID === undefined) !== (maxID === undefined))
    refuse('vlanTrunk: minID and maxID belong together', 'give both, or an id');
  if (minID !== undefined && maxID !== undefined && maxID < minID)
    refuse(`vlanTrunk: minID ${minID} is above maxID ${maxID}`, 'exchange the two');
  return [
    ...(minID !== undefined && maxID !== undefined ? [{ first: minID, last: maxID }] : []),
    ...(id !== undefined ? [{ first: id, last: id }] : []),
  ];
}

/** undefined: no VLANs. Throws NetmoorError('bad-config'). */
export function readVlans(input: BridgeNatInput): VlansWanted | undefined {
  const trunk = (input.vlanTrunk ?? []).flatMap(rangesOf);
  // As in the reference: a trunk without `vlan` has the default VLAN without tags.
  const native = input.vlan || (trunk.length > 0 ? DEFAULT_VLAN : undefined);
  if (native === undefined) return undefined;
  if (input.dhcpServer)
    refuse('dhcpServer serves a whole bridge, not a VLAN of it', 'give the VLAN a bridge of its own');
  return { native, trunk, keepDefault: input.preserveDefaultVlan ?? false };
}
