/** The kernel's part of an attachment, on both sides: bridge, veth, rules, the container's interface. Every effect pushes its undo. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import type { UndoStack } from '../../lib/base/undo.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { linkChange, portChange } from '../../lib/netlink/link-change.ts';
import { createVeth } from '../../lib/netlink/link-creation.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { untilLinkUp } from '../../lib/netlink/watch.ts';
import { acceptForwarding } from '../../lib/nftables/forward.ts';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import { ensureSysctlIfPresent } from '../../lib/system/sysctl.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import type { AttachRequest } from './attach.ts';
import { ensureBridge } from './bridge.ts';
import { flushFlows, leaveBridge, soleAttachment } from './detach.ts';
import type { Host } from './detach.ts';
import { detailOf, prefixesOf, rulesOf } from './detail.ts';
import { enableForwarding } from './forwarding.ts';
import { containerMacFor, hostIfnameFor, hostMacFor } from './names.ts';
import { kernelRoute } from './plan.ts';
import { announce, awaitDetection, configureInterface } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import { rulesOfOthers } from './standby.ts';

/** A port that is not up by then never will be: something else holds it down. */
const LINK_UP_DEADLINE_MS = 5000;

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
  flushFlows(host, record);
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

/** Plugs the container in and configures it. */
export async function connect(
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
  host.route.request(linkChange(link.index, { up: true }, `raise ${link.name}`));
  if (config.disableContainerInterface) return { bridge, link };
  const wanted = {
    ifname: key.ifname,
    addresses: prefixesOf(record),
    routes: detail.routes.map(kernelRoute),
    dad: config.enabledad,
  };
  const inside = configureInterface(sandbox, wanted, undo);
  host.step('attach: container configured');
  if (!untilLinkUp(host.route, link.index, LINK_UP_DEADLINE_MS, context.world.monotonic)) {
    throw new NetmoorError(
      'kernel',
      `port ${link.name} of bridge ${bridge.name} did not come up`,
      'is the interface in the container, or the bridge, being held down?',
    );
  }
  if (config.enabledad) awaitDetection(sandbox, inside, context.world.monotonic);
  announce(sandbox, inside, record.mac ?? '');
  return { bridge, link };
}
