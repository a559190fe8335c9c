/** Setting in the container what is to be tuned there (tuning.ts), in its network namespace and nowhere else. */
import { NetmoorError, isErrno } from '../../../lib/base/errors.ts';
import type { UndoStack } from '../../../lib/base/undo.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { Sandbox } from '../../../lib/mooring/sandbox.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import type { LinkChange } from '../../../lib/netlink/link-change.ts';
import type { Link } from '../../../lib/netlink/link-message.ts';
import { inNetns } from '../../../lib/system/netns.ts';
import { readSysctl, writeSysctl } from '../../../lib/system/sysctl.ts';
import type { Tuning } from './tuning.ts';

/** As the reference: what the first IFNAME stands for may have dots. */
function partsOf(key: string, ifname: string): string[] {
  return key.split('/').map((part, index, parts) => {
    const first = parts.findIndex((each) => each.includes('IFNAME')) === index;
    return first ? part.replace('IFNAME', ifname) : part;
  });
}

/** Of vectors the kernel writes the numbers apart by tabs. */
function sameValue(a: string, b: string): boolean {
  const words = (text: string): string => text.trim().split(/\s+/).join(' ');
  return words(a) === words(b);
}

/** The value; undefined of what can be written alone (net.ipv4.route.flush). Throws Node's ENOENT. */
function readable(parts: readonly string[]): string | undefined {
  try {
    return readSysctl(...parts);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw error;
    return undefined;
  }
}

function explained(parts: readonly string[], value: string, error: unknown): unknown {
  const name = parts.join('.');
  const problem = isErrno(error, 'ENOENT', 'ENOTDIR')
    ? `sysctl ${name} does not exist in the container's network namespace`
    : isErrno(error, 'EINVAL', 'ERANGE', 'EDOM')
      ? `sysctl ${name}: the kernel refuses ${quote(value)}`
      : undefined;
  if (problem === undefined) return error;
  return new NetmoorError('bad-config', problem, 'see Documentation/networking/ip-sysctl.rst', {
    cause: error,
  });
}

/** In the calling thread's namespace; returns what takes it back. Containers may see /proc/sys read-only. */
function setOne(parts: readonly string[], value: string): () => void {
  try {
    const before = readable(parts);
    if (before !== undefined && sameValue(before, value)) return () => {};
    writeSysctl(value, ...parts);
    return before === undefined ? () => {} : () => writeSysctl(before, ...parts);
  } catch (error) {
    throw explained(parts, value, error);
  }
}

function changeOf({ mtu, promisc, allmulti, txQLen }: Tuning): LinkChange {
  return {
    ...(mtu !== undefined && { mtu }),
    ...(promisc !== undefined && { promiscuous: promisc }),
    ...(allmulti !== undefined && { allMulticast: allmulti }),
    ...(txQLen !== undefined && { txQueueLength: txQLen }),
  };
}

/** Last of all, as a plugin behind this one would. What is of the interface goes with it, other settings stay. */
export function tune({ netns, route }: Sandbox, link: Link, tuning: Tuning, undo: UndoStack): void {
  for (const { key, value } of tuning.sysctl) {
    const parts = partsOf(key, link.name);
    const takeBack = inNetns(netns, () => setOne(parts, value));
    undo.push(`put sysctl ${parts.join('.')} back`, () => inNetns(netns, takeBack));
  }
  const change = changeOf(tuning);
  if (Object.keys(change).length > 0) route.request(linkChange(link.index, change, `tune ${link.name}`));
}

/** In the container's namespace: how its settings differ from what they were set to. */
export function tunedSettings({ sysctl }: Tuning, ifname: string): string[] {
  return sysctl.flatMap(({ key, value }) => {
    const parts = partsOf(key, ifname);
    try {
      const present = readable(parts);
      if (present === undefined || sameValue(present, value)) return [];
      return [`sysctl ${parts.join('.')} is ${quote(present)}, not ${quote(value)}`];
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      return [`sysctl ${parts.join('.')} is gone`];
    }
  });
}
