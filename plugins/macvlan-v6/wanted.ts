/** What the interface in the container is to be like, apart from its addresses. */
import type { Routers } from '../../lib/mooring/kernel-keys.ts';
import type { InterfaceWanted } from '../../lib/mooring/container-interface.ts';
import type { MacvlanConfig } from './config.ts';
import type { Work } from './work.ts';

/** DHCPv6 tells no way out, nor what is on the link: routers do (RFC 9915, section 4.1). */
export function routersFor({ slaac, dhcp6 }: Pick<MacvlanConfig, 'slaac' | 'dhcp6'>): Routers {
  if (slaac) return 'slaac';
  return dhcp6 === undefined ? 'ignored' : 'routes';
}

export function interfaceWanted({
  request: { config, key },
}: Pick<Work, 'request'>): Omit<InterfaceWanted, 'addresses' | 'routes'> {
  return { ifname: key.ifname, dad: config.dad, routers: routersFor(config) };
}
