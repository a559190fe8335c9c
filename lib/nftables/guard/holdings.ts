/** What the guard's elements say of attachments: for making lost records again, and for who wants to see them all. */
import { addressFromBytes } from '../../base/ip.ts';
import type { Address, Prefix } from '../../base/ip.ts';
import { formatMac } from '../../base/mac.ts';
import type { NetlinkSocket } from '../../netlink/socket.ts';
import type { SetElement } from '../element.ts';
import { fieldsOf, setPlan } from '../layout.ts';
import type { GuardSet } from '../layout.ts';
import { guardElements } from './guard.ts';
import { guardedMasters } from './masters.ts';
import { LINK_LOCAL_PREFIX } from './port.ts';
import { masterOf } from './port-elements.ts';
import type { Allowed } from './port.ts';

/** What a MooredPort says, but which of the addresses were leased. */
export interface PortOnRecord {
  /** ownerComment() of the attachment. */
  readonly owner: string;
  /** Without a name when the master is gone. */
  readonly master: { readonly index: number; readonly name?: string };
  readonly mac: string;
  readonly addresses: readonly Address[];
  readonly identifiers: readonly bigint[];
  readonly roams: boolean;
  readonly prefixes: readonly Prefix[];
  readonly spoofCheck: boolean;
  readonly allow: Allowed;
}

/** The last field of each of one set's elements. */
function last(elements: readonly SetElement[], set: GuardSet): Buffer[] {
  return elements
    .filter((element) => element.set === set)
    .map(({ key }) => Buffer.from(fieldsOf(setPlan(set).key, key)?.at(-1) ?? []));
}

function portOf(owner: string, elements: readonly SetElement[], name: string | undefined, index: number) {
  const has = (set: GuardSet) => elements.some((element) => element.set === set);
  const [mac] = last(elements, 'ports');
  if (mac === undefined) return [];
  const port: PortOnRecord = {
    owner,
    master: { index, ...(name !== undefined && { name }) },
    mac: formatMac(mac),
    addresses: [...last(elements, 'own4'), ...last(elements, 'own6')]
      .map(addressFromBytes)
      .filter(({ value }) => value !== 0n),
    identifiers: last(elements, 'target_ids6').map((bytes) => bytes.readBigUInt64BE()),
    roams: has('roaming6'),
    prefixes: last(elements, 'prefixes6')
      .filter((bytes) => !bytes.subarray(0, 8).equals(LINK_LOCAL_PREFIX))
      .map((bytes) => ({ address: addressFromBytes(bytes), length: 64 })),
    spoofCheck: !has('admitted'),
    allow: { routerAdvertisements: has('routers'), dhcpServer: has('dhcp_servers') },
  };
  return [port];
}

/** Of the elements of guardElements(), and of `masters`' names by index, the attachments they stand for. */
export function portsOf(
  elements: readonly SetElement[],
  masters: ReadonlyMap<number, string | undefined>,
): PortOnRecord[] {
  const groups = Map.groupBy(elements, (element) => `${masterOf(element)} ${element.comment}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const index = masterOf(first);
    return portOf(first.comment, group, masters.get(index), index);
  });
}

/** All attachments that the kernel guards. */
export function portsOnRecord(nf: NetlinkSocket): PortOnRecord[] {
  return portsOf(guardElements(nf), guardedMasters(nf));
}
