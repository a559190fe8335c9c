/**
 * A container that another plugin has plugged into a bridge, put on record as if bridge-nat had: it keeps interface,
 * addresses and routes, its ports and its way out are ours from then on, and DEL takes it down like any other. Its veth
 * keeps the name it has; the one it would have with us becomes a further one.
 */
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import { UndoStack } from '../../lib/base/undo.ts';
import { beginStore } from '../../lib/mooring/host.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { portRecord } from '../../lib/mooring/intent.ts';
import { formatLabel } from '../../lib/mooring/label.ts';
import { putBack } from '../../lib/mooring/recover.ts';
import { here } from '../../lib/mooring/vantage.ts';
import { prefixesOf } from '../../lib/mooring/verify.ts';
import { altNameRemoval, altNaming } from '../../lib/netlink/alt-name.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { labelling, portChange } from '../../lib/netlink/link-change.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { RECORD_VERSION, formatKey, sameKey } from '../../ipam/record.ts';
import type { AddressRecord, AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { StoreReader, StoreTransaction } from '../../ipam/store/store.ts';
import type { BridgeNatConfig } from './config.ts';
import { standRules } from './stand-rules.ts';
import { KIND, readDetail } from './detail.ts';
import type { BridgeNatRecord } from './detail.ts';
import { enableForwarding } from './bridge/forwarding.ts';
import { bridgeNat } from './kind.ts';
import { hostIfnameFor, holdsOf } from './names.ts';
import { planAttachment } from './plan.ts';
import { rulesOfOthers, withStandby } from './standby.ts';

/** What is known of a container that lives on the network's bridge. */
export interface Living {
  readonly key: AttachmentKey;
  readonly addresses: readonly AddressRecord[];
  /** The host's end of its veth. */
  readonly link: Link;
  /** Of its own end. */
  readonly mac: string | undefined;
  readonly netns: AttachmentRecord['netns'];
  /** Where host-local holds its addresses, which are given back there when it is detached. */
  readonly directory: string;
}

export interface Adopted {
  readonly record: BridgeNatRecord;
  /** It was on record before. */
  readonly known: boolean;
}

/** What its former plugins have made of it in the container, or on its veth, is left as it is, and nobody's promise. */
const LEFT = { bandwidth: undefined, tuning: undefined, sourceRouting: undefined };

/** Which of these the network asks for, by the names of the plugins that made them. */
export function leftAsItIs({ bandwidth, tuning, sourceRouting }: BridgeNatConfig): string[] {
  const wanted = { bandwidth, tuning, sbr: sourceRouting };
  return Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

/** What is to be on record of it; `wanted` is completed from the host. */
export function recordOf(host: Host, wanted: BridgeNatConfig, living: Living): BridgeNatRecord {
  const { world } = host;
  const { key, link, mac, netns, directory } = living;
  const config = bridgeNat.complete(host, { ...wanted, ...LEFT }, key.network);
  const { ipam, containerName, portMappings } = config;
  const routes = ipam.kind === 'netmoor' ? ipam.pool.routes : undefined;
  const leased = {
    addresses: living.addresses,
    routes: routes as BridgeNatRecord['detail']['routes'],
    dns: {},
  };
  const { addresses, detail } = planAttachment(config, leased);
  const createdAt = world.now();
  return {
    version: RECORD_VERSION,
    ...key,
    plugin: KIND,
    state: 'attached',
    incarnation: `imported.${link.index}.${createdAt}`,
    bootId: world.bootId,
    createdAt,
    host: here(world),
    ...(containerName === undefined ? {} : { name: containerName }),
    ...(netns === undefined ? {} : { netns }),
    hostIfname: link.name,
    hostIfindex: link.index,
    segment: bridgeNat.segmentOf(config, key.network),
    ...(mac === undefined ? {} : { mac }),
    mtu: link.mtu,
    addresses,
    ports: portMappings.map(portRecord),
    detail: { ...detail, imported: { directory } },
  };
}

export function taken(what: string, owner: AttachmentKey): never {
  throw new NetmoorError(
    what.startsWith('port') ? 'port-taken' : 'address-taken',
    `${what} is held by ${formatKey(owner)}`,
    'two live with it: detach one of them, and import the other again',
  );
}

/** Throws NetmoorError naming who has an address or a port of it. */
function refuseDuplicate(tx: StoreReader, record: BridgeNatRecord): void {
  const other = (owner: AttachmentKey | undefined): owner is AttachmentKey =>
    owner !== undefined && !sameKey(owner, record);
  for (const { address, scope = '' } of record.addresses) {
    const owner = tx.addressOwner(scope, parsePrefix(address).address);
    if (other(owner)) taken(`address ${address}`, owner);
  }
  for (const port of record.ports) {
    const owner = tx.portOwner(port);
    if (other(owner)) taken(`port ${port.hostPort}`, owner);
  }
}

/** The names that say in the kernel whose the veth is, and which addresses are taken (plug-in.ts). */
function namesOf(record: BridgeNatRecord): string[] {
  return [hostIfnameFor(record), ...holdsOf(record).map(({ name }) => name)];
}

/** Throws NetmoorError('address-taken') when another link bears the name. */
function refuseBearer({ route }: Host, record: BridgeNatRecord, link: Link, name: string, cause?: unknown) {
  const holder = findLink(route, name);
  if (holder === undefined || holder.index === link.index) return;
  throw new NetmoorError(
    'address-taken',
    `${formatKey(record)} has an address that is held behind ${holder.name}`,
    'detach that, and import it again',
    { cause },
  );
}

export function refuseBearers(host: Host, record: BridgeNatRecord, link: Link): void {
  for (const name of namesOf(record)) refuseBearer(host, record, link, name);
}

function nameLink(host: Host, record: BridgeNatRecord, link: Link, undo: UndoStack): void {
  const { route } = host;
  for (const name of namesOf(record)) {
    try {
      route.request(altNaming(link.index, name, `name ${link.name}`));
      undo.push(`unname ${link.name}`, () => {
        route.request(altNameRemoval(link.index, name, `unname ${link.name}`));
      });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      refuseBearer(host, record, link, name, error);
    }
  }
}

/** As an ADD leaves it; repeating it changes nothing. What fails takes all of it back. */
function moor(host: Host, tx: StoreReader, record: BridgeNatRecord, link: Link): void {
  const { route } = host;
  const undo = new UndoStack();
  const { hairpin, isolated, gateways } = record.detail;
  const alias = formatLabel(record, record.addresses);
  try {
    nameLink(host, record, link, undo);
    if (gateways.length > 0)
      enableForwarding(route, new Set<Family>(prefixesOf(record).map(({ address }) => address.family)));
    if ((link.hairpin ?? false) !== hairpin || (link.isolated ?? false) !== isolated)
      route.request(portChange(link.index, { hairpin, isolated }, `set the port flags of ${link.name}`));
    standRules(host, record, () => rulesOfOthers(tx, host, record));
    if (alias !== undefined) route.request(labelling({ index: link.index }, alias));
  } catch (error) {
    undo.run();
    throw error;
  }
}

/** One of this boot and of that very interface is imported again; anything else is somebody's to see to. */
function known(host: Host, there: AttachmentRecord, link: Link): Adopted {
  const same =
    there.plugin === KIND && there.bootId === host.world.bootId && there.hostIfindex === link.index;
  if (!same || there.state !== 'attached')
    throw new NetmoorError(
      'ifname-taken',
      `${formatKey(there)} is on record with another interface`,
      '"netmoor check" says how it is; what is gone goes with "netmoor gc"',
    );
  return { record: { ...there, detail: readDetail(there.detail) }, known: true };
}

function isElsewhere(host: Host, key: AttachmentKey): boolean {
  return host.askOthers((reader) => reader.attachment(key) !== undefined, false).includes(true);
}

/** What adopt() puts on record, after all that the stores have to say. Throws as that. */
export function judge(host: Host, tx: StoreReader, record: BridgeNatRecord, link: Link): Adopted {
  const there = tx.attachment(record);
  if (there !== undefined) return known(host, there, link);
  if (isElsewhere(host, record))
    throw new NetmoorError(
      'ifname-taken',
      `${formatKey(record)} is on record in another store`,
      'it may stay',
    );
  const claimed = withStandby(tx, record);
  refuseDuplicate(tx, claimed);
  return { record: claimed, known: false };
}

/** Whether there is something to be made for it: what ours has attached itself is whole. */
export function isToMoor({ record, known }: Adopted): boolean {
  return !known || record.detail.imported !== undefined;
}

/**
 * Takes it over; repeating it changes nothing. Throws NetmoorError: 'address-taken', 'port-taken' naming who has what
 * it lives with, 'ifname-taken' when its key is another's, and SystemError; nothing is changed then.
 */
export function adopt(host: Host, wanted: BridgeNatConfig, living: Living): Adopted {
  const { link } = living;
  const record = recordOf(host, wanted, living);
  beginStore(host);
  return host.store.write((tx: StoreTransaction) => {
    const judged = judge(host, tx, record, link);
    if (!judged.known && !putBack(bridgeNat, tx, judged.record))
      throw new NetmoorError('try-again', `${formatKey(record)} has just been put on record`, 'try again');
    if (isToMoor(judged)) moor(host, tx, judged.record, link);
    return judged;
  });
}
