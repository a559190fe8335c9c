/**
 * The file by which a container finds its name servers (resolv.conf(5)), as text; and whose DNS settings count in it.
 */
import { isLinkLocal, parseAddress } from '../base/ip.ts';
import { isAddress, parseResolvConf } from './dns.ts';
import { compactDns } from './result.ts';
import type { Dns } from './result.ts';
import type { World } from './world.ts';

function isLoopback(server: string): boolean {
  const { family, value } = parseAddress(server);
  return family === 4 ? value >> 24n === 127n : value === 1n;
}

/**
 * The settings that an interface came with, as the container's programs need them: a link-local name server is one on
 * that interface, which has to be told them (RFC 4007, section 11; glibc, musl and Go all read it).
 */
export function dnsOn(ifname: string, dns: Dns): Dns {
  const withZone = (server: string): string =>
    isAddress(server) && isLinkLocal(parseAddress(server)) ? `${server}%${ifname}` : server;
  return compactDns({ ...dns, nameservers: dns.nameservers?.map(withZone) });
}

/** What of the host's settings holds in a container: a name server on the host's own loopback does not. */
export function usableInContainer(dns: Dns): Dns {
  return compactDns({ ...dns, nameservers: (dns.nameservers ?? []).filter((server) => !isLoopback(server)) });
}

/**
 * The host's settings, as far as they hold in a container: systemd-resolved keeps its own name servers in a second
 * file.
 */
export function hostDns({ files }: Pick<World, 'files'>): Dns {
  for (const file of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const content = files.read(file);
    const dns = content === undefined ? {} : usableInContainer(parseResolvConf(content.toString()));
    if (dns.nameservers !== undefined) return dns;
  }
  return {};
}

function first(
  sources: readonly Dns[],
  pick: (dns: Dns) => readonly string[] | undefined,
): readonly string[] {
  return sources.map((dns) => pick(dns) ?? []).find((list) => list.length > 0) ?? [];
}

/** Each setting from the first source that has it; the domain counts as what is searched. */
export function combineDns(sources: readonly Dns[]): Dns {
  return compactDns({
    nameservers: first(sources, (dns) => dns.nameservers),
    search: first(sources, (dns) => dns.search ?? (dns.domain ? [dns.domain] : undefined)),
    options: first(sources, (dns) => dns.options),
  });
}

/** What is no single word would be read as something else. */
function words(list: readonly string[] = []): string[] {
  return list.filter((text) => /^[\x21-\x7e]+$/.test(text));
}

export function resolvConfText(dns: Dns): string {
  const [nameservers, search, options] = [words(dns.nameservers), words(dns.search), words(dns.options)];
  const lines = [
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
