/**
 * Proving where a network's traffic leaves the host: a namespace that nobody else knows is attached to it, by the ADD
 * and with the rules of any container, sends a packet of each family, and is detached again. The namespace has no name:
 * should this process die, the kernel takes it away, and `netmoor gc` what is on record of it.
 */
import { closeSync, openSync } from 'node:fs';
import { errorText } from '../../lib/base/errors.ts';
import { parseAddress, parsePrefix, withoutLength } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import { cachedAttachments } from '../../lib/cni/lists/cache.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { inNewNetns } from '../../lib/system/netns.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { readDetail } from '../../plugins/bridge-nat/detail.ts';
import { fits } from '../../plugins/bridge-nat/egress/plan.ts';
import { attach, detach, raiseLoopback } from '../attaching.ts';
import type { Surroundings } from '../attaching.ts';
import { sandboxAt } from '../target.ts';
import { probe } from './send.ts';

/** Addresses for documentation (RFC 5737, RFC 3849): nobody has them. */
export const TARGETS: Readonly<Record<Family, string>> = { 4: '192.0.2.1', 6: '2001:db8:6d::1' };

export interface ProbedWay {
  readonly family: Family;
  /** The address that was sent to. */
  readonly target: string;
  /** Absent: it does not leave. */
  readonly interface?: string;
  readonly source?: string;
}

/** One item of `probes` in schemas/cli-check.schema.json. */
export interface ProbeView {
  readonly network: string;
  /** Of the families that the network gives addresses of. */
  readonly ways: readonly ProbedWay[];
  /** Where the proxy of the host listens that takes TCP and DNS, "10.1.0.1:9040". */
  readonly proxies?: readonly string[];
  /** What is not as promised. */
  readonly complaints: readonly string[];
  /** Why it could not be tried. */
  readonly note?: string;
}

type Known = AttachmentRecord<ReturnType<typeof readDetail>>;

function waysFrom(
  record: Known,
  path: string,
  targets: readonly string[],
  around: Surroundings,
): ProbedWay[] {
  const { world } = around;
  const families = new Set(record.addresses.map(({ address }) => parsePrefix(address).address.family));
  const from = world.openNetns(path);
  const socket = NetlinkSocket.open('route');
  try {
    return targets
      .map((target) => ({ target, family: parseAddress(target).family }))
      .filter(({ family }) => families.has(family))
      .map(({ target, family }) => {
        const way = probe(from, target, world);
        if (way === undefined) return { family, target };
        const name = findLink(socket, way.index)?.name ?? `#${way.index}`;
        return { family, target, interface: name, source: way.source };
      });
  } finally {
    socket.close();
    world.closeNetns(from);
  }
}

function complaintsAbout({ addresses, detail }: Known, ways: readonly ProbedWay[]): string[] {
  const own = new Set(addresses.map(({ address }) => withoutLength(address)));
  return ways.flatMap(({ family, interface: name, source = '' }) => {
    if (name === undefined) return [];
    const { egress, masquerade } = detail;
    return [
      ...(egress && !egress.interfaces.some((pattern) => fits(pattern, name))
        ? [`IPv${family} leaves by ${name}, where it must not`]
        : []),
      ...(masquerade && own.has(source) ? [`IPv${family} leaves by ${name} without being masqueraded`] : []),
    ];
  });
}

function recordOf(containerId: string, records: () => readonly AttachmentRecord[]): Known | undefined {
  const record = records().find((each) => each.containerId === containerId);
  return record === undefined ? undefined : { ...record, detail: readDetail(record.detail) };
}

async function probeFrom(
  network: string,
  path: string,
  targets: readonly string[],
  around: Surroundings,
  records: () => readonly AttachmentRecord[],
): Promise<ProbeView> {
  const { world } = around;
  const containerId = `netmoor-probe-${world.random(4).toString('hex')}`;
  const sandbox = sandboxAt(path, world);
  try {
    raiseLoopback(path, world);
    const wanted = { name: network, ips: [], ports: [], aliases: [], args: new Map<string, string>() };
    await attach({ ...sandbox, containerId, name: containerId, dns: {} }, [wanted], around);
    const record = recordOf(containerId, records);
    if (record === undefined)
      return { network, ways: [], complaints: [], note: 'it is no network of bridge-nat' };
    const ways = waysFrom(record, path, targets, around);
    const proxies = record.detail.egress?.proxy?.tcp.map(({ address, port }) =>
      address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    );
    return { network, ways, complaints: complaintsAbout(record, ways), ...(proxies && { proxies }) };
  } finally {
    try {
      await detach(cachedAttachments(containerId, world), around);
    } finally {
      world.closeNetns(sandbox.opened);
    }
  }
}

/** `records`: those of all stores, as of now. Errors are a note: that nothing was proven. */
export async function probeNetwork(
  network: string,
  targets: readonly string[],
  around: Surroundings,
  records: () => readonly AttachmentRecord[],
): Promise<ProbeView> {
  const fd = inNewNetns(() => openSync('/proc/thread-self/ns/net', 'r'));
  try {
    return await probeFrom(network, `/proc/${process.pid}/fd/${fd}`, targets, around, records);
  } catch (error) {
    return { network, ways: [], complaints: [], note: errorText(error) };
  } finally {
    closeSync(fd);
  }
}
