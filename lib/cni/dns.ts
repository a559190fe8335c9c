/** DNS settings of a result: a resolv.conf file (resolv.conf(5)), and whose settings count. */
import { NetmoorError, errorText } from '../base/errors.ts';
import { AddressError, parseAddress } from '../base/ip.ts';
import type { Dns } from './result.ts';
import { compactDns } from './result.ts';

/** A plain one, without zone. */
export function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

/**
 * Reads resolv.conf as the reference host-local plugin does: `search` and `options` add up, the last `domain` counts.
 * Name servers that are no plain address (a link-local one with its zone) mean nothing in another namespace and are
 * left out.
 */
export function parseResolvConf(text: string): Dns {
  const nameservers: string[] = [];
  const search: string[] = [];
  const options: string[] = [];
  let domain: string | undefined;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (first === undefined || line.trim().startsWith('#') || line.trim().startsWith(';')) continue;
    if (keyword === 'nameserver' && isAddress(first)) nameservers.push(first);
    else if (keyword === 'domain') domain = first;
    else if (keyword === 'search') search.push(...values);
    else if (keyword === 'options') options.push(...values);
  }
  return compactDns({ nameservers, domain, search, options });
}

/**
 * Whose settings count, whole: those of the runtime (capability `dns`), else of the network's configuration, else of
 * the IPAM, the first that say anything, as the reference's bridge prefers its own over its IPAM's.
 */
export function chooseDns(sources: { readonly runtime: Dns; readonly config: Dns; readonly ipam: Dns }): Dns {
  const candidates = [sources.runtime, sources.config, sources.ipam].map(compactDns);
  return candidates.find((dns) => Object.keys(dns).length > 0) ?? {};
}

/** Of a network's configuration. Throws NetmoorError('bad-config'). */
export function checkNameServers({ nameservers = [] }: Dns): void {
  for (const [index, server] of nameservers.entries()) {
    try {
      parseAddress(server);
    } catch (error) {
      throw new NetmoorError(
        'bad-config',
        `dns.nameservers[${index}]: ${errorText(error)}`,
        'name servers are given by address',
      );
    }
  }
}
