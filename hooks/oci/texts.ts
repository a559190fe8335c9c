/** The files by which a container is known by its name (hosts(5), hostname(5)), as text. */
import type { PortMapping } from '../../lib/cni/port-mappings.ts';
import type { CniResult } from '../../lib/cni/result.ts';

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
  readonly ports: readonly PortMapping[];
}
