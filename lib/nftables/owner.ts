/**
 * Whose an element is, in its comment: "network/containerId/ifname" for an attachment's, "bridge NAME" for what
 * everything on a bridge shares. `nft list` shows it, and nothing is ever removed that says another name.
 */
import { sha256 } from '../base/sha256.ts';
import { COMMENT_MAX_LENGTH } from './userdata.ts';

/** One attachment. */
export interface Owner {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

/**
 * The comment of an attachment's elements; for very long names a digest stands in for them. nft writes a comment
 * between quotation marks and knows no way to write one within; that of an interface's name, the only name that may
 * have any, is written "%22", which no interface's name may have.
 */
export function ownerComment({ network, containerId, ifname }: Owner): string {
  const comment = `${network}/${containerId}/${ifname.replaceAll('"', '%22')}`;
  return Buffer.byteLength(comment) <= COMMENT_MAX_LENGTH
    ? comment
    : `sha256:${sha256(comment).toString('hex')}`;
}

/** The comment of the elements that belong to a bridge. Neither network names nor digests have a space. */
export function bridgeComment(bridge: string): string {
  return `bridge ${bridge}`;
}
