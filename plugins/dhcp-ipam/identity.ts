/**
 * Who a container is to DHCP servers: the same after a restart, so that it gets its addresses again, and unlike on
 * another host. RFC 4361 makes it one identity for both versions of DHCP.
 */
import type { AttachmentKey } from '../../ipam/record.ts';
import { clientIdFrom, duidFrom, iaidFrom } from '../../ipam/dhcp/identity.ts';

export interface Identity {
  /** In hexadecimal. */
  readonly duid: string;
  readonly iaid: number;
  /** Option 61 of DHCPv4, in hexadecimal. */
  readonly clientId: string;
}

/** `host`: what tells this host from others. One DUID a container, one IAID an interface of it on a network. */
export function identityOf({ containerId, network, ifname }: AttachmentKey, host: string): Identity {
  const duid = duidFrom(`netmoor dhcp ${host} ${containerId}`);
  const iaid = iaidFrom(`${network}/${ifname}`);
  return {
    duid: duid.toString('hex'),
    iaid,
    clientId: clientIdFrom(iaid, duid).toString('hex'),
  };
}
