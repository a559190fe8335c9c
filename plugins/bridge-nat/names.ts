/**
 * Names that bridge-nat gives by itself, always the same for the same network or attachment, so that rules and drawings
 * that mention them stay valid across restarts. None begins with ve-, vb- or vz-: systemd-networkd takes those for its
 * own.
 */
import { withoutLength } from '../../lib/base/ip.ts';
import { macFrom } from '../../lib/base/mac.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { quote } from '../../lib/cni/quote.ts';
import { sha256 } from '../../lib/base/sha256.ts';

/** What an attachment is known by everywhere. */
interface Key {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

const IFNAME_BYTES = 15;

function digest(...parts: string[]): string {
  return sha256(parts.join('\0')).toString('hex');
}

/** "nm-" and the network's name, or the beginning of its hash when that is too long for an interface. */
export function bridgeNameFor(network: string): string {
  const name = `nm-${network}`;
  return name.length <= IFNAME_BYTES ? name : `nm-${digest(network).slice(0, 10)}`;
}

/**
 * What nft cannot read back of what it writes: a quotation mark ends the name, and an asterisk at its end stands for
 * any name that begins so. A saved ruleset would be refused whole.
 */
export function bridgeNameProblem(name: string): string | undefined {
  if (!name.includes('"') && !name.endsWith('*')) return undefined;
  return `${quote(name)} cannot be the name of a bridge here: nft does not read a ruleset back that has it`;
}

/**
 * A further name of that end for each address, so that the kernel itself lets nobody else have it: no two links share a
 * name, and a link lives as long as its container's namespace.
 */
function holdingNameFor(scope: string, address: string): string {
  return `nma${digest('holding', scope, address).slice(0, 11)}`;
}

/** Of an attachment's addresses those that its store gave, each with that name. */
export function holdsOf({
  addresses,
}: Pick<AttachmentRecord, 'addresses'>): { readonly address: string; readonly name: string }[] {
  return addresses.flatMap(({ scope, address }) =>
    scope === undefined ? [] : [{ address, name: holdingNameFor(scope, withoutLength(address)) }],
  );
}

/** The host's end of an attachment's veth. */
export function hostIfnameFor({ network, containerId, ifname }: Key): string {
  return `nmv${digest(network, containerId, ifname).slice(0, 11)}`;
}

/** Whether a name is of the kind that hostIfnameFor() gives. */
export function isHostIfname(name: string): boolean {
  return /^nmv[0-9a-f]{11}$/.test(name);
}

/** The IFB in which an attachment's outgoing traffic waits: the rest of the name is that of its veth. */
export function ifbNameFor(key: Key): string {
  return ifbBeside(hostIfnameFor(key));
}

export function ifbBeside(hostIfname: string): string {
  return hostIfname.replace(/^nmv/, 'nmb');
}

/** Whether a name is of the kind that ifbNameFor() gives. */
export function isIfbName(name: string): boolean {
  return /^nmb[0-9a-f]{11}$/.test(name);
}

/** The container's MAC address when nobody asks for another. */
export function containerMacFor({ network, containerId, ifname }: Key): string {
  return macFrom(['container', network, containerId, ifname].join('\0'));
}

/** The MAC address of the host's end: never the lowest of a bridge's, had the bridge none of its own. */
export function hostMacFor({ network, containerId, ifname }: Key): string {
  return `fe${macFrom(['host', network, containerId, ifname].join('\0')).slice(2)}`;
}

/** How a member of a bridge is to be given back: as it is, lowered, or with addresses that the bridge has for it. */
export type Return = 'as-is' | 'down' | 'moving';

const MARKS: Readonly<Record<Return, string>> = { 'as-is': 'nmp', down: 'nmr', moving: 'nmq' };

/**
 * A further name of an interface of the host that netmoor makes a port of a bridge: while it bears it, it is to be
 * given back, which is its only effect.
 */
export function memberMarkFor(bridge: string, index: number, how: Return): string {
  return `${MARKS[how]}${digest('member', bridge, String(index)).slice(0, 11)}`;
}

/**
 * One more for the name by which the configuration knows it: a person may rename it while it is a port. The bridge's
 * configurations, and no others, know it by that name then.
 */
export function memberNameFor(bridge: string, name: string): string {
  return `nms${digest('member name', bridge, name).slice(0, 11)}`;
}

/** Whether a name is of the kind that memberMarkFor() or memberNameFor() gives. */
export function isMemberMark(name: string): boolean {
  return /^nm[pqrs][0-9a-f]{11}$/.test(name);
}

export function bridgeMacFor(bridge: string): string {
  return macFrom(`bridge\0${bridge}`);
}
