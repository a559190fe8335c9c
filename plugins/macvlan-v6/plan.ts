/** What an attachment will look like, as far as it is known before the network is asked. Pure. */
import {
  formatAddress,
  formatPrefix,
  networkOf,
  parseAddress,
  parsePrefix,
  sameAddress,
} from '../../lib/base/ip.ts';
import type { CniRoute } from '../../lib/cni/result.ts';
import type { Leased, Plan } from '../../lib/mooring/kind.ts';
import { RT_SCOPE_LINK } from '../../lib/netlink/route.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { MacvlanConfig } from './config.ts';
import { DETAIL_VERSION } from './detail.ts';
import type { MacvlanDetail } from './detail.ts';

/** As the reference: a route without a gateway goes by that of the first address of its family. */
function routesOf(routes: readonly CniRoute[], addresses: readonly AddressRecord[]): CniRoute[] {
  const gatewayFor = ({ dst }: CniRoute): string | undefined => {
    const { family } = parsePrefix(dst).address;
    return addresses.find(({ gateway }) => gateway !== undefined && parseAddress(gateway).family === family)
      ?.gateway;
  };
  return routes.map((route) => {
    const gw = route.gw ?? gatewayFor(route);
    return route.scope === RT_SCOPE_LINK || gw === undefined ? route : { ...route, gw };
  });
}

/** Ranges have a gateway always; addresses that were given without have none. */
function withoutGateway(record: AddressRecord, bare: MacvlanConfig['withoutGateway']): AddressRecord {
  const { address } = parsePrefix(record.address);
  if (!bare.some((other) => sameAddress(other, address))) return record;
  const { gateway: _none, ...rest } = record;
  return rest;
}

/** The prefixes that addresses are in. */
export function subnetsOf(addresses: readonly AddressRecord[]): string[] {
  return [...new Set(addresses.map(({ address }) => formatPrefix(networkOf(parsePrefix(address)))))];
}

/** The addresses of the record, and what macvlan-v6 keeps beside them. */
export function planAttachment(config: MacvlanConfig, leased: Leased): Plan<MacvlanDetail> {
  const addresses = leased.addresses.map((record) => withoutGateway(record, config.withoutGateway));
  const { identifier, masterIndex } = config;
  return {
    addresses,
    detail: {
      version: DETAIL_VERSION,
      subnets: subnetsOf(addresses),
      routes: routesOf(leased.routes ?? [], addresses),
      mode: config.mode,
      linkInContainer: config.linkInContainer,
      slaac: config.slaac,
      interfaceIdentifier: typeof identifier === 'string' ? identifier : formatAddress(identifier),
      dad: config.dad,
      autoconfigured: [],
      hostAccess: config.hostAccess,
      spoofCheck: config.spoofCheck,
      allowRouterAdvertisements: config.allowRouterAdvertisements,
      allowDhcpServer: config.allowDhcpServer,
      ...(masterIndex === undefined ? {} : { masterIndex }),
    },
  };
}
