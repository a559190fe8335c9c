/** The files by which a container resolves names (resolv.conf(5), hosts(5), hostname(5)), as text; and whose DNS settings count. */
import { parseAddress } from '../../lib/base/ip.ts';
import { compactDns } from '../../lib/cni/result.ts';
import type { CniResult, Dns } from '../../lib/cni/result.ts';

function isLoopback(server: string): boolean {
  const { family, value } = parseAddress(server);
  return family === 4 ? value >> 24n === 127n : value === 1n;
}

/** What of the host's settings holds in a container: a name server on the host's own loopback does not. */
export function usableInContainer(dns: Dns): Dns {
  return compactDns({ ...dns, nameservers: (dns.nameservers ?? []).filter((server) => !isLoopback(server)) });
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

export function resolvConfText({ nameservers = [], search = [], options = [] }: Dns): string {
  const lines = [
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** `addresses` are the container's own, `name` what it calls itself, with or without a domain. */
export function hostsText(addresses: readonly string[], name: string): string {
  const short = name.split('.')[0] ?? name;
  const names = short === name ? name : `${name} ${short}`;
  const loopback = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
  return `${[...loopback, ...addresses.map((address) => `${address}\t${names}`)].join('\n')}\n`;
}

export function hostnameText(name: string): string {
  return `${name}\n`;
}

/** A network's result with its place, as the result file lists it. */
export interface NamedResult {
  readonly network: string;
  readonly ifname: string;
  readonly result: CniResult;
}
