/** A stateless DHCPv6 server (RFC 9915, section 18.3.5): it has no addresses, and tells what there is to know. */
import type { LeasedDns } from '../lease.ts';
import type { Message6 } from '../v6/message.ts';

/** IANA, "DHCPv6 Option Codes". */
const DNS_SERVERS = 23;
const DOMAIN_LIST = 24;

/** DUID-LL (RFC 9915, section 11.4) of an Ethernet interface. */
export function linkDuid(mac: string): string {
  return `00030001${mac.replaceAll(':', '')}`;
}

/** Whether DHCPv6 has anything to tell. */
export function tellsDns({ nameservers, search }: LeasedDns): boolean {
  return search.length > 0 || nameservers.some((server) => server.includes(':'));
}

/** Undefined for all but a question for information: who wants an address hears nothing, as of a server without any. */
export function statelessReply(message: Message6, server: string, dns: LeasedDns): Message6 | undefined {
  const { type, transaction, options } = message;
  if (type !== 'INFORMATION-REQUEST') return undefined;
  // Meant for another server, or one that asks for addresses in a message that must not (section 16.12).
  if (options.serverId !== undefined && options.serverId !== server) return undefined;
  if (options.iaNa !== undefined || options.iaPd !== undefined) return undefined;
  const wants = options.optionRequest ?? [];
  const servers = dns.nameservers.filter((address) => address.includes(':'));
  return {
    type: 'REPLY',
    transaction,
    options: {
      ...(options.clientId === undefined ? {} : { clientId: options.clientId }),
      serverId: server,
      ...(servers.length > 0 && wants.includes(DNS_SERVERS) ? { dnsServers: servers } : {}),
      ...(dns.search.length > 0 && wants.includes(DOMAIN_LIST) ? { domainList: dns.search } : {}),
    },
  };
}
