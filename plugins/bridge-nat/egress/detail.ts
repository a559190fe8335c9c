/** What a record says of its network's egress, and what of it goes into the nftables rules. Pure. */
import { parseAddress, withoutLength } from '../../../lib/base/ip.ts';
import type { Listener, NetworkRules } from '../../../lib/nftables/rules.ts';
import type { BridgeNatDetail } from '../../../schemas/compiled/bridge-nat-detail.js';
import type { EgressConfig } from './config.ts';

export type EgressDetail = NonNullable<BridgeNatDetail['egress']>;

/** `gateways`: the bridge's addresses, on which a proxy listens unless the configuration says where. */
export function egressDetail(
  { interfaces, via, proxy, table = 0 }: EgressConfig,
  gateways: readonly string[],
): EgressDetail {
  const addresses = proxy && proxy.addresses.length > 0 ? proxy.addresses : gateways.map(withoutLength);
  const at = (port: number) => addresses.map((address) => ({ address, port }));
  return {
    table,
    interfaces: [...interfaces],
    ...(via.length > 0 ? { via: [...via] } : {}),
    ...(proxy && { proxy: { tcp: at(proxy.transPort), dns: at(proxy.dnsPort) } }),
  };
}

type Rules = Pick<NetworkRules, 'egress' | 'proxy'>;

export function egressRules({ egress }: Pick<BridgeNatDetail, 'egress'>): Rules {
  if (egress === undefined) return {};
  const listeners = (list: NonNullable<EgressDetail['proxy']>['tcp']) =>
    list.map(({ address, port }): Listener => ({ address: parseAddress(address), port }));
  const { proxy } = egress;
  return {
    egress: egress.interfaces,
    ...(proxy && { proxy: { tcp: listeners(proxy.tcp), dns: listeners(proxy.dns) } }),
  };
}
