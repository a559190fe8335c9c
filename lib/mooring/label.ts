/**
 * What an attachment's interface on the host says of itself, in its alias (IFLA_IFALIAS, at most 255 bytes): whose it
 * is, and with which addresses. It is a second ledger, in the kernel: a store that is lost can be made again from it.
 */
import { AddressError, parsePrefix } from '../base/ip.ts';
import { containerIdProblem, interfaceNameProblem, networkNameProblem } from '../cni/names.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import { formatKey } from '../../ipam/record.ts';
import { ALIAS } from './marks.ts';

/** linux/if.h IFALIASZ, with the zero at the end. */
const LONGEST = 255;

export interface Label {
  readonly key: AttachmentKey;
  /** "10.1.0.2/16" */
  readonly addresses: readonly string[];
}

/**
 * "netmoor web/c1/eth0 10.1.0.2/16 fd00::2/64"; without addresses that do not fit, undefined when not even the key
 * does.
 */
export function formatLabel(
  key: AttachmentKey,
  addresses: AttachmentRecord['addresses'],
): string | undefined {
  const short = `${ALIAS} ${formatKey(key)}`;
  const whole = [short, ...addresses.map(({ address }) => address)].join(' ');
  return [whole, short].find((text) => Buffer.byteLength(text) <= LONGEST);
}

function isPrefix(text: string): boolean {
  try {
    parsePrefix(text);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

/** The key in "network/container/ifname"; undefined for anything else. */
export function parseKey(text: string): AttachmentKey | undefined {
  const [network = '', containerId = '', ifname = '', ...more] = text.split('/');
  const problem =
    networkNameProblem(network) ?? containerIdProblem(containerId) ?? interfaceNameProblem(ifname);
  return problem === undefined && more.length === 0 ? { network, containerId, ifname } : undefined;
}

/**
 * The key in the comment of an nftables element (lib/nftables/owner.ts); undefined for a digest, a bridge's name, and
 * anything else.
 */
export function ownerKey(comment: string): AttachmentKey | undefined {
  return parseKey(comment.replaceAll('%22', '"'));
}

/** Undefined for what is no label, or nobody's that could be. */
export function parseLabel(alias: string | undefined): Label | undefined {
  const [mark, owner = '', ...addresses] = (alias ?? '').split(' ');
  const key = mark === ALIAS ? parseKey(owner) : undefined;
  return key && addresses.every(isPrefix) ? { key, addresses } : undefined;
}
