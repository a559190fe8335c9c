/** A network's egress as the kernel shows it: the rule tells the table, nftables elements of the bridge the rest. */
import { addressFromBytes, formatAddress } from '../../../lib/base/ip.ts';
import { wordIn } from '../../../lib/base/transport.ts';
import type { SetElement } from '../../../lib/nftables/element.ts';
import { fieldsOf, setPlan } from '../../../lib/nftables/layout.ts';
import type { EgressDetail } from './detail.ts';

function textOf(name: Uint8Array | undefined): string {
  return Buffer.from(name ?? [])
    .toString('utf8')
    .replace(/\0.*$/s, '');
}

/** "tun*" for an interval of names. */
function wayOf({ set, key, keyEnd }: SetElement): { from: string; to: string } {
  const types = setPlan(set).key;
  const [from, to] = fieldsOf(types, key) ?? [];
  const [, last] = keyEnd === undefined ? [] : (fieldsOf(types, keyEnd) ?? []);
  const isOne = last === undefined || Buffer.from(last).equals(Buffer.from(to ?? []));
  return { from: textOf(from), to: isOne ? textOf(to) : `${textOf(to)}*` };
}

function listenersOf(
  shared: readonly SetElement[],
  what: 'tcp' | 'dns',
): { address: string; port: number }[] {
  return shared.flatMap(({ set, data }) => {
    if (!set.startsWith(`${what}_proxy`) || data === undefined) return [];
    const [address, port] = fieldsOf(setPlan(set).data ?? [], data) ?? [];
    if (address === undefined || port === undefined) return [];
    return [{ address: formatAddress(addressFromBytes(address)), port: wordIn(port) }];
  });
}

/**
 * `shared`: the elements of the bridge. Where those are gone nothing is known to lead out, and nothing does until the
 * next ADD says what. Gateways behind the interfaces the kernel's routes alone tell, which stay until then.
 */
export function recoveredEgress(
  table: number | undefined,
  shared: readonly SetElement[],
): { egress?: EgressDetail } {
  if (table === undefined) return {};
  const ways = shared.filter(({ set }) => set === 'egress_via').map(wayOf);
  const tcp = listenersOf(shared, 'tcp');
  const dns = listenersOf(shared, 'dns');
  const interfaces = ways.filter(({ from, to }) => from !== to).map(({ to }) => to);
  return {
    egress: { table, interfaces, ...(tcp.length > 0 || dns.length > 0 ? { proxy: { tcp, dns } } : {}) },
  };
}
