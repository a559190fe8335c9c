/** The result in exactly the shape of one version of the CNI specification (section 5 of each). */
import { NetmoorError } from '../base/errors.ts';
import { compact, compactDns } from './result.ts';
import type { CniInterface, CniIp, CniResult, CniRoute, Dns } from './result.ts';
import { isAtLeast } from './versions.ts';
import type { CniVersion } from './versions.ts';

function isV4(text: string): boolean {
  return !text.includes(':');
}

function encodeOldIp(result: CniResult, v4: boolean): object | undefined {
  const ip = result.ips.find((each) => isV4(each.address) === v4);
  if (ip === undefined) return undefined;
  const routes = result.routes.filter(({ dst }) => isV4(dst) === v4).map(encodeRoute);
  return compact({ ip: ip.address, gateway: ip.gateway, routes });
}

/**
 * Refuses what a result of this version cannot say: before 0.3.0 it has one address of each family at most. Asked
 * before anything is configured. Throws NetmoorError('bad-config').
 */
export function refuseInexpressible(
  addresses: readonly { readonly address: string }[],
  cniVersion: CniVersion,
): void {
  if (isAtLeast(cniVersion, '0.3.0')) return;
  for (const v4 of [true, false]) {
    const family = addresses.filter(({ address }) => isV4(address) === v4);
    if (family.length < 2) continue;
    throw new NetmoorError(
      'bad-config',
      `a result of cniVersion ${cniVersion} has one IPv${v4 ? 4 : 6} address, not ${family.length}`,
      'set "cniVersion" to 0.3.1 or later, or leave one range of each family',
    );
  }
}

/**
 * Name servers are addresses, of which podman refuses any with a zone, and the container with it. Which interface a
 * link-local one is to be reached by is that of the result (dnsOn, resolv-conf.ts).
 */
function encodeDns({ nameservers, ...rest }: Dns): Dns {
  return compactDns({ ...rest, nameservers: nameservers?.map((server) => server.replace(/%.*$/, '')) });
}

/** 0.1.0 and 0.2.0: one address of each family, no interfaces. */
function encodeOld(result: CniResult, cniVersion: CniVersion): object {
  refuseInexpressible(result.ips, cniVersion);
  const ip4 = encodeOldIp(result, true);
  const ip6 = encodeOldIp(result, false);
  if (ip4 === undefined && ip6 === undefined) {
    throw new NetmoorError(
      'bad-config',
      `a result of cniVersion ${cniVersion} needs an IP address, and there is none`,
      'set "cniVersion" to 0.3.1 or later for a network without addresses',
    );
  }
  return { ...compact({ cniVersion, ip4, ip6 }), dns: encodeDns(result.dns) };
}

function encodeInterface(item: CniInterface, modern: boolean): object {
  const { name, mac, mtu, sandbox, socketPath, pciID } = item;
  return {
    name,
    ...(modern ? compact({ mac, mtu, sandbox, socketPath, pciID }) : compact({ mac, sandbox })),
  };
}

/**
 * Only 1.1.0 names the attributes of routes, but the reference's types write them in every version, and what asks an
 * IPAM plugin for routes reads them: a metric dropped here would be dropped without a word.
 */
function encodeRoute(route: CniRoute): object {
  const { dst, gw, mtu, advmss, priority, table, scope } = route;
  return compact({ dst, gw, mtu, advmss, priority, table, scope });
}

function encodeIp(ip: CniIp, withVersion: boolean): object {
  const { address, gateway } = ip;
  return compact({
    version: withVersion ? (isV4(address) ? '4' : '6') : undefined,
    interface: ip.interface,
    address,
    gateway,
  });
}

/**
 * The result as a JSON value in exactly the shape of `cniVersion`: `ips[].version` before 1.0.0 only, `mtu`,
 * `socketPath`, `pciID` of interfaces from 1.1.0 on. Before 1.0.0 `dns` is always there, as the reference writes it.
 * Throws NetmoorError('bad-config') when the version cannot express the result.
 */
export function encodeResult(result: CniResult, cniVersion: CniVersion): object {
  if (!isAtLeast(cniVersion, '0.3.0')) return encodeOld(result, cniVersion);
  const modern = isAtLeast(cniVersion, '1.1.0');
  const withVersion = !isAtLeast(cniVersion, '1.0.0');
  const dns = encodeDns(result.dns);
  return {
    ...compact({
      cniVersion,
      interfaces: result.interfaces.map((item) => encodeInterface(item, modern)),
      ips: result.ips.map((ip) => encodeIp(ip, withVersion)),
      routes: result.routes.map(encodeRoute),
    }),
    ...(withVersion || Object.keys(dns).length > 0 ? { dns } : {}),
  };
}
