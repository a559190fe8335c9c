/** What an attachment will look like, as far as it is known before the network is asked. Pure. */
import { formatAddress, parsePrefix, sameAddress } from '../../lib/base/ip.ts';
import type { Leased, Plan } from '../../lib/mooring/kind.ts';
import { subnetsOf, withGateways } from '../../lib/mooring/routes.ts';
import type { AddressRecord } from '../../ipam/record.ts';
import type { MacvlanConfig } from './config.ts';
import { DETAIL_VERSION } from './detail.ts';
import type { MacvlanDetail } from './detail.ts';

/** Ranges have a gateway always; addresses that were given without have none. */
function withoutGateway(record: AddressRecord, bare: MacvlanConfig['withoutGateway']): AddressRecord {
  const { address } = parsePrefix(record.address);
  if (!bare.some((other) => sameAddress(other, address))) return record;
  const { gateway: _none, ...rest } = record;
  return rest;
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
      routes: withGateways(leased.routes ?? [], addresses),
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
