/** Plugging a container in: intent on disk, then the kernel, then the record made final. Whatever fails takes everything back. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { formatAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import { UndoStack } from '../../lib/base/undo.ts';
import type { CniResult, Dns } from '../../lib/cni/result.ts';
import { delegateDel } from '../../lib/cni/delegate.ts';
import { chooseDns } from '../../lib/cni/dns.ts';
import type { Context } from '../../lib/cni/plugin.ts';
import type { PortMapping } from '../../lib/cni/port-mappings.ts';
import { flushUdp } from '../../lib/netlink/conntrack.ts';
import { createVeth, findLink, linkChange, portChange, removeLink } from '../../lib/netlink/link.ts';
import type { Link } from '../../lib/netlink/link.ts';
import { watchLinks } from '../../lib/netlink/watch.ts';
import { acceptForwarding } from '../../lib/nftables/forward.ts';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import type { Netns } from '../../lib/system/netns.ts';
import { ensureSysctlIfPresent } from '../../lib/system/sysctl.ts';
import type { AttachmentKey, AttachmentRecord, PortRecord } from '../../ipam/record.ts';
import type { StoreTransaction } from '../../ipam/store/store.ts';
import { ensureBridge } from './bridge.ts';
import type { BridgeNatConfig } from './config.ts';
import { detach, leaveBridge, soleAttachment, teardownError } from './detach.ts';
import type { Host } from './detach.ts';
import { detailOf, prefixesOf, rulesOf } from './detail.ts';
import { enableForwarding, findUplink } from './forwarding.ts';
import { delegateOf, leaseFromDelegate } from './delegated.ts';
import { leaseFromStore } from './lease.ts';
import { bridgeMacFor, containerMacFor, hostIfnameFor, hostMacFor } from './names.ts';
import { kernelRoute, planAttachment, resultOf } from './plan.ts';
import { rulesOfOthers, takeOver, withStandby } from './standby.ts';
import { announce, awaitDetection, configureInterface, openSandbox } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';

/** A port that is not up by then never will be: something else holds it down. */
const LINK_UP_DEADLINE_MS = 5000;

export interface AttachRequest {
  readonly key: AttachmentKey;
  readonly config: BridgeNatConfig;
  readonly bridge: string;
  readonly netns: Netns;
  readonly context: Context;
}

interface Attachment {
  readonly record: AttachmentRecord;
  readonly dns: Dns;
}

function portRecord({ hostIp, ...ports }: PortMapping): PortRecord {
  return hostIp === undefined ? ports : { ...ports, hostIp: formatAddress(hostIp) };
}

function baseRecord(host: Host, request: AttachRequest, mtu: number | undefined): AttachmentRecord {
  const { key, config, bridge, netns, context } = request;
  return {
    ...key,
    plugin: 'bridge-nat',
    state: 'attaching',
    bootId: context.world.bootId,
    createdAt: context.world.now(),
    ...(host.worker ? { worker: host.worker } : {}),
    ...(config.containerName === undefined ? {} : { name: config.containerName }),
    netns: { path: netns.path, inode: netns.id },
    hostIfname: hostIfnameFor(key),
    bridge,
    mac: config.mac ?? containerMacFor(key),
    ...(mtu === undefined ? {} : { mtu }),
    addresses: [],
    ports: config.portMappings.map(portRecord),
    detail: {
      ...planAttachment(config, { addresses: [], routes: undefined, dns: {} }, delegateOf(request)).detail,
    },
  };
}

/** An attachment under this key that was never detached (a crash, a reboot, an impatient runtime) makes way for the new one. */
function clearPrevious(host: Host, key: AttachmentKey): AttachmentRecord | undefined {
  const previous = host.store.read((tx) => tx.attachment(key));
  if (previous === undefined) return undefined;
  const error = teardownError(key, detach(host, previous));
  if (error) throw error;
  return previous;
}

/** The intent and its addresses, in one transaction, on disk before anything else happens. */
async function recordIntent(
  host: Host,
  request: AttachRequest,
  mtu: number | undefined,
  previous: AttachmentRecord | undefined,
): Promise<Attachment> {
  const base = baseRecord(host, request, mtu);
  if (request.config.ipam.kind !== 'netmoor') {
    return { record: host.store.write((tx) => rememberAttachment(tx, request, base)), dns: {} };
  }
  return leaseFromStore(host, request, previous, (tx, leased) => {
    const { addresses, detail } = planAttachment(request.config, leased, undefined);
    const record = rememberAttachment(tx, request, { ...base, addresses, detail: { ...detail } });
    return { record, dns: leased.dns };
  });
}

/** Puts the record into the store, and returns it as it stands there: some of its ports may have to stand by. */
function rememberAttachment(
  tx: StoreTransaction,
  request: AttachRequest,
  wanted: AttachmentRecord,
): AttachmentRecord {
  const record = withStandby(tx, { ...wanted, ports: request.config.portMappings.map(portRecord) });
  const { network } = request.key;
  const known = tx.network(network);
  if (known?.automatic !== true) {
    const subnets = [...new Set([...(known?.subnets ?? []), ...detailOf(record).subnets])];
    tx.putNetwork({
      name: network,
      plugin: 'bridge-nat',
      bridge: request.bridge,
      subnets,
      automatic: false,
      createdAt: known?.createdAt ?? record.createdAt,
    });
  }
  tx.putAttachment(record);
  return record;
}

/** Addresses from another IPAM plugin, put on record as soon as they are known. */
function completeDelegated(
  host: Host,
  request: AttachRequest,
  intent: Attachment,
  undo: UndoStack,
): Attachment {
  const delegate = delegateOf(request);
  if (delegate === undefined) return intent;
  const leased = leaseFromDelegate(delegate.type, request.context);
  undo.push(`give addresses back to ${delegate.type}`, () => delegateDel(delegate.type, request.context));
  const { addresses, detail } = planAttachment(request.config, leased, delegate);
  const wanted = { ...intent.record, addresses, detail: { ...detail } };
  return { record: host.store.write((tx) => rememberAttachment(tx, request, wanted)), dns: leased.dns };
}

function prepareBridge(host: Host, request: AttachRequest, record: AttachmentRecord, undo: UndoStack): Link {
  const { config, bridge: name } = request;
  const detail = detailOf(record);
  const addresses = prefixesOf(record);
  undo.push(`leave bridge ${name}`, () => {
    host.store.write((tx) => {
      if (soleAttachment(tx, record).onBridge) leaveBridge(host, record);
    });
  });
  const bridge = ensureBridge(host.route, {
    name,
    mtu: record.mtu,
    gateways: detail.gateways.map(parsePrefix),
    forceAddress: config.forceAddress,
    promiscuous: config.promiscMode,
    routeLocalnet: config.portMappings.length > 0 && addresses.some((prefix) => prefix.address.family === 4),
  });
  if (config.isGateway) enableForwarding(new Set<Family>(addresses.map((prefix) => prefix.address.family)));
  return bridge;
}

function plugIn(
  host: Host,
  request: AttachRequest,
  record: AttachmentRecord,
  bridge: Link,
  undo: UndoStack,
): Link {
  const { key, netns } = request;
  const name = hostIfnameFor(key);
  const stale = findLink(host.route, name);
  if (stale?.kind === 'veth') removeLink(host.route, stale.index);
  const link = createVeth(host.route, {
    name,
    mac: hostMacFor(key),
    ...(record.mtu === undefined ? {} : { mtu: record.mtu }),
    master: bridge.index,
    peer: { name: key.ifname, mac: record.mac ?? containerMacFor(key), netnsFd: netns.fd },
  });
  undo.push(`delete interface ${name}`, () => void removeLink(host.route, link.index));
  // A port of a bridge needs no address of its own, and shall not believe router advertisements either.
  ensureSysctlIfPresent('1', 'net', 'ipv6', 'conf', name, 'disable_ipv6');
  const { hairpin, isolated } = detailOf(record);
  if (hairpin || isolated) {
    const change = { hairpin, isolated };
    host.route.request(portChange(link.index, change, `set the port flags of ${name}`));
  }
  return link;
}

/** Rules for this container; those of all others too, should the table have been deleted behind our back. */
function writeRules(host: Host, record: AttachmentRecord, undo: UndoStack): void {
  const rules = rulesOf(record);
  const everyOther = () => host.store.read((tx) => rulesOfOthers(tx, record));
  undo.push('remove its rules', () => {
    host.store.write((tx) => removeAttachment(host.netfilter, rules, soleAttachment(tx, record)));
  });
  addAttachment(host.netfilter, rules, everyOther);
  acceptForwarding(host.netfilter, rules.rules.bridge);
  const udp = rules.forwards.filter((forward) => forward.protocol === 'udp');
  if (udp.length > 0) flushUdp(host.netfilter, udp);
}

/** What most attachments do not ask for is not even loaded for them. */
async function limitBandwidth(
  host: Host,
  record: AttachmentRecord,
  link: Link,
  undo: UndoStack,
): Promise<void> {
  const { shape } = await import('./shaping.ts');
  shape(host.route, record, link, undo);
  host.step('attach: bandwidth limited');
}

async function connect(
  host: Host,
  request: AttachRequest,
  sandbox: Sandbox,
  record: AttachmentRecord,
  undo: UndoStack,
): Promise<{ bridge: Link; link: Link }> {
  const { config, key, context } = request;
  const detail = detailOf(record);
  const bridge = prepareBridge(host, request, record, undo);
  host.step('attach: bridge ready');
  const link = plugIn(host, request, record, bridge, undo);
  host.step('attach: veth created');
  if (detail.bandwidth) await limitBandwidth(host, record, link, undo);
  writeRules(host, record, undo);
  host.step('attach: rules written');
  const watch = watchLinks();
  try {
    host.route.request(linkChange(link.index, { up: true }, `raise ${link.name}`));
    const wanted = {
      ifname: key.ifname,
      addresses: prefixesOf(record),
      routes: detail.routes.map(kernelRoute),
      dad: config.enabledad,
    };
    if (!config.disableContainerInterface) {
      const inside = configureInterface(sandbox, wanted, undo);
      host.step('attach: container configured');
      if (!watch.untilUp(link.index, LINK_UP_DEADLINE_MS, context.world.now)) {
        throw new NetmoorError(
          'kernel',
          `port ${link.name} of bridge ${bridge.name} did not come up`,
          'is the interface in the container, or the bridge, being held down?',
        );
      }
      if (config.enabledad) awaitDetection(sandbox, inside, context.world.now);
      announce(sandbox, inside, record.mac ?? '');
    }
  } finally {
    watch.close();
  }
  return { bridge, link };
}

/** Makes the record final. A port it stood by for may have become free since: nobody could hand it over before. */
function finish(host: Host, attached: AttachmentRecord): AttachmentRecord {
  return host.store.write((tx) => {
    const record = withStandby(tx, attached);
    tx.putAttachment(record);
    if (record.ports.length > attached.ports.length) {
      addAttachment(host.netfilter, rulesOf(record), () => rulesOfOthers(tx, record));
    }
    return record;
  });
}

/** Takes back what was done and forgets the intent; what could not be taken back stays on record for GC. */
function rollBack(host: Host, record: AttachmentRecord, undo: UndoStack, cause: unknown): unknown {
  const failures = undo.run();
  try {
    host.store.write((tx) => {
      if (failures.length > 0) {
        tx.putAttachment({ ...record, state: 'detaching' });
        return;
      }
      tx.removeAttachment(record);
      takeOver(tx, host.netfilter, record);
      const last = soleAttachment(tx, record).ofNetwork;
      if (last && tx.network(record.network)?.automatic === false) tx.removeNetwork(record.network);
    });
  } catch (error) {
    failures.push({ what: 'forget the intent', error });
  }
  if (failures.length === 0) return cause;
  const list = failures.map(({ what, error }) => `${what}: ${errorText(error)}`).join('; ');
  return new NetmoorError(
    'internal',
    `${errorText(cause)}; and taking it back failed: ${list}`,
    'run "netmoor gc"',
    { cause },
  );
}

/** Attaches a container; the result in the shape of CNI 1.1.0. Throws with nothing left behind. */
export async function attach(host: Host, request: AttachRequest): Promise<CniResult> {
  const { config, context, key, netns } = request;
  const sandbox = openSandbox(netns, key.ifname);
  try {
    const previous = clearPrevious(host, key);
    const mtu = config.mtu ?? findUplink(host.route)?.mtu;
    const intent = await recordIntent(host, request, mtu, previous);
    host.step('attach: intent recorded');
    const undo = new UndoStack();
    let current = intent;
    try {
      current = completeDelegated(host, request, intent, undo);
      host.step('attach: addresses leased');
      const { bridge, link } = await connect(host, request, sandbox, current.record, undo);
      const { worker: _finished, ...finished } = current.record;
      const record = finish(host, { ...finished, state: 'attached' });
      host.step('attach: recorded');
      undo.disarm();
      const links = {
        bridgeMac: bridge.mac ?? bridgeMacFor(bridge.name),
        hostMac: link.mac ?? '',
        mtu: link.mtu,
      };
      return resultOf(
        record,
        detailOf(record),
        links,
        chooseDns({
          runtime: context.config.runtimeConfig.dns,
          config: context.config.dns,
          ipam: current.dns,
        }),
      );
    } catch (error) {
      throw rollBack(host, current.record, undo, error);
    }
  } finally {
    sandbox.route.close();
  }
}
