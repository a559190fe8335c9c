/**
 * route_localnet of a bridge: packets to and from 127.0.0.0/8 may cross it, which publishing on 127.0.0.1 needs. It is
 * safe only while the guard of layout-rules.ts knows the bridge (CVE-2020-8558), so it is switched on after the guard
 * stands and off before the guard goes, whether or not the bridge outlives it.
 */
import { isErrno } from '../base/errors.ts';
import { settingsOf } from '../netlink/devconf.ts';
import { findLink } from '../netlink/link.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ensureSysctl, readSysctl } from '../system/sysctl.ts';
import type { SetElement } from './element.ts';

/**
 * For the kernel any number but 0 means on (include/linux/inetdevice.h IN_DEV_ROUTE_LOCALNET; proc_dointvec). This one,
 * the number that netmoor's addresses bear as well, tells what we have switched on from what a person has.
 */
const ON_BY_US = '109';

function keyOf(bridge: string): string[] {
  return ['net', 'ipv4', 'conf', bridge, 'route_localnet'];
}

/** Undefined when there is no such interface. */
export function readLocalnet(route: NetlinkSocket, bridge: string): number | undefined {
  const link = findLink(route, bridge);
  return link && settingsOf(link).ipv4('route_localnet');
}

/**
 * Switches it on, unless a person has: then it stays his. Only behind the guard. In the namespace of the socket, which
 * is the caller's; throws Node's ENOENT when there is no such interface.
 */
export function allowLocalnet(route: NetlinkSocket, bridge: string): void {
  if (!readLocalnet(route, bridge)) ensureSysctl(ON_BY_US, ...keyOf(bridge));
}

/** Switches off what allowLocalnet() switched on. A bridge that is gone is fine. */
export function withdrawLocalnet(bridge: string): void {
  try {
    if (readSysctl(...keyOf(bridge)) === ON_BY_US) ensureSysctl('0', ...keyOf(bridge));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Before these elements are removed: the bridges among them lose their guard. */
export function beforeRemoval(elements: readonly SetElement[]): void {
  for (const { set, key } of elements) {
    if (set === 'bridges') withdrawLocalnet(key.toString('utf8').replace(/\0.*$/s, ''));
  }
}
