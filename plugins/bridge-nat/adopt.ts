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

function recordOf({ world }: Host, config: BridgeNatConfig, living: Living): BridgeNatRecord {
  const { key, link, mac, netns, directory } = living;
  const { ipam, containerName, portMappings } = config;
  const routes = ipam.kind === 'netmoor' ? ipam.pool.routes : undefined;
  const leased = {
    addresses: living.addresses,
    routes: routes as BridgeNatRecord['detail']['routes'],
    dns: {},
  };
  const { addresses, detail } = planAttachment({ ...config, bandwidth: undefined }, leased);
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

function taken(what: string, owner: AttachmentKey): never {
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
function nameLink({ route }: Host, record: BridgeNatRecord, link: Link, undo: UndoStack): void {
  const names = [hostIfnameFor(record), ...holdsOf(record).map(({ name }) => name)];
  for (const name of names) {
    try {
      route.request(altNaming(link.index, name, `name ${link.name}`));
      undo.push(`unname ${link.name}`, () => {
        route.request(altNameRemoval(link.index, name, `unname ${link.name}`));
      });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      const holder = findLink(route, name);
      if (holder === undefined || holder.index === link.index) continue;
      throw new NetmoorError(
        'address-taken',
        `${formatKey(record)} has an address that is held behind ${holder.name}`,
        'detach that, and import it again',
        { cause: error },
      );
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
      enableForwarding(new Set<Family>(prefixesOf(record).map(({ address }) => address.family)));
    if ((link.hairpin ?? false) !== hairpin || (link.isolated ?? false) !== isolated)
      route.request(portChange(link.index, { hairpin, isolated }, `set the port flags of ${link.name}`));
    standRules(host, record, () => rulesOfOthers(tx, host, record));
    if (alias !== undefined) route.request(labelling({ index: link.index }, alias));
  } catch (error) {
    undo.run();
    throw error;
  }
}

/** One of this boot and of that very interface has its rules made again; anything else is somebody's to see to. */
function again(host: Host, tx: StoreReader, there: AttachmentRecord, link: Link): Adopted {
  const same =
    there.plugin === KIND && there.bootId === host.world.bootId && there.hostIfindex === link.index;
  if (!same || there.state !== 'attached')
    throw new NetmoorError(
      'ifname-taken',
      `${formatKey(there)} is on record with another interface`,
      '"netmoor check" says how it is; what is gone goes with "netmoor gc"',
    );
  const record = { ...there, detail: readDetail(there.detail) };
  if (record.detail.imported) moor(host, tx, record, link);
  return { record, known: true };
}

function isElsewhere(host: Host, key: AttachmentKey): boolean {
  return host.askOthers((reader) => reader.attachment(key) !== undefined, false).includes(true);
}

/**
 * Takes it over; repeating it changes nothing. Throws NetmoorError: 'address-taken', 'port-taken' naming who has what
 * it lives with, 'ifname-taken' when its key is another's, and SystemError; nothing is changed then.
 */
export function adopt(host: Host, wanted: BridgeNatConfig, living: Living): Adopted {
  const { key, link } = living;
  const config = bridgeNat.complete(host, wanted, key.network);
  const record = recordOf(host, config, living);
  beginStore(host);
  return host.store.write((tx: StoreTransaction) => {
    const there = tx.attachment(key);
    if (there !== undefined) return again(host, tx, there, link);
    if (isElsewhere(host, key))
      throw new NetmoorError(
        'ifname-taken',
        `${formatKey(key)} is on record in another store`,
        'it may stay',
      );
    const claimed = withStandby(tx, record);
    refuseDuplicate(tx, claimed);
    if (!putBack(bridgeNat, tx, claimed))
      throw new NetmoorError('try-again', `${formatKey(key)} has just been put on record`, 'try again');
    moor(host, tx, claimed, link);
    return { record: claimed, known: false };
  });
}
