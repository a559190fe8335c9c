/** The elements that stand for a network and its bridge, whoever is attached; a pure function. */
import { addressBytes, firstAddress, lastAddress } from '../base/ip.ts';
import type { Prefix } from '../base/ip.ts';
import { word } from '../base/transport.ts';
import type { SetElement } from './element.ts';
import { concatenate, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { ifnameBytes, ifnameSpan } from './match.ts';
import { bridgeComment } from './owner.ts';
import type { HostAccess, HostService, Listener, NetworkRules } from './rules.ts';

type Bare = Omit<SetElement, 'comment'>;

function insideElement(bridge: Buffer, subnet: Prefix): Bare {
  const set: SetName = `inside${subnet.address.family}`;
  const types = setPlan(set).key;
  return {
    set,
    key: concatenate(types, [bridge, addressBytes(firstAddress(subnet))]),
    keyEnd: concatenate(types, [bridge, addressBytes(lastAddress(subnet))]),
  };
}

/** From the one bridge to the other, which may be the same. */
function pair(set: 'same_bridge' | 'joined', from: Buffer, to: Buffer): Bare {
  return { set, key: concatenate(setPlan(set).key, [from, to]) };
}

/** Within itself a bridge is never left: frames between its ports come by where br_netfilter shows them. */
function egressElements(bridge: Buffer, name: string, through: readonly string[]): Bare[] {
  const types = setPlan('egress_via').key;
  return [
    { set: 'egress', key: bridge },
    ...[name, ...through].map((way): Bare => {
      const [first, last] = ifnameSpan(way);
      return {
        set: 'egress_via',
        key: concatenate(types, [bridge, first]),
        keyEnd: concatenate(types, [bridge, last]),
      };
    }),
  ];
}

function proxyElements(bridge: Buffer, { tcp, dns }: NonNullable<NetworkRules['proxy']>): Bare[] {
  const element = (what: 'tcp' | 'dns', { address, port }: Listener): Bare => {
    const set = `${what}_proxy${address.family}` as const;
    const data = concatenate(setPlan(set).data ?? [], [addressBytes(address), word(port)]);
    return { set, key: bridge, data };
  };
  return [
    { set: 'proxied', key: bridge },
    ...tcp.map((listener) => element('tcp', listener)),
    ...dns.map((listener) => element('dns', listener)),
  ];
}

function hostElements(bridge: Buffer, access: HostAccess): Bare[] {
  const service = ({ protocol, firstPort, lastPort }: HostService): Bare => {
    const key = (port: number) =>
      concatenate(setPlan('host_services').key, [bridge, Buffer.from([protocol]), word(port)]);
    return { set: 'host_services', key: key(firstPort), keyEnd: key(lastPort) };
  };
  return [
    { set: 'host_guarded', key: bridge },
    ...access.protocols.map(
      (protocol): Bare => ({
        set: 'host_protocols',
        key: concatenate(setPlan('host_protocols').key, [bridge, Buffer.from([protocol])]),
      }),
    ),
    ...access.services.map(service),
  ];
}

/** The elements that stay until the bridge's last attachment goes. */
export function bridgeElements(rules: NetworkRules): SetElement[] {
  const { bridge, subnets, ingressPolicy, apart, joined = [], redirectedSource } = rules;
  const comment = bridgeComment(bridge);
  const ifname = ifnameBytes(bridge);
  const alone = (set: SetName): Bare => ({ set, key: ifname });
  const elements: Bare[] = [
    alone('bridges'),
    ...subnets.map((subnet) => insideElement(ifname, subnet)),
    ...(ingressPolicy === 'open' ? [] : [alone('guarded')]),
    ...(ingressPolicy === 'same-bridge' ? [pair('same_bridge', ifname, ifname)] : []),
    ...(apart ? [alone('apart')] : []),
    ...(apart ? [bridge, ...joined] : []).map((other) => pair('joined', ifnameBytes(other), ifname)),
    ...(redirectedSource === 'kept' ? [alone('no_snat')] : []),
    ...(redirectedSource === 'ours' ? [alone('masq_all')] : []),
    ...(rules.egress ? egressElements(ifname, bridge, rules.egress) : []),
    ...(rules.proxy ? proxyElements(ifname, rules.proxy) : []),
    ...(rules.hostAccess ? hostElements(ifname, rules.hostAccess) : []),
  ];
  return elements.map((element) => ({ ...element, comment }));
}
