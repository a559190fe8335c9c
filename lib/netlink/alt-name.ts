/**
 * Alternative names of links (linux/if_link.h IFLA_PROP_LIST, kernel 5.5): unique in a namespace, like the names
 * themselves, and gone with their link. At most 127 bytes.
 */
import { encode, nest, struct, text } from './codec.ts';
import { encodeLink } from './link-codec.ts';
import type { NetlinkRequest } from './socket.ts';
import {
  IFLA_ALT_IFNAME,
  IFLA_PROP_LIST,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELLINKPROP,
  RTM_NEWLINKPROP,
} from './uapi.ts';

const properties = struct({ list: nest(IFLA_PROP_LIST, struct({ altName: text(IFLA_ALT_IFNAME) })) });

function naming(index: number, altName: string): Buffer {
  return Buffer.concat([encodeLink({}, { index }), encode(properties, { list: { altName } })]);
}

/** The request that gives a link one more name; EEXIST when another has it. */
export function altNaming(index: number, altName: string, op: string): NetlinkRequest {
  const flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND;
  return { type: RTM_NEWLINKPROP, flags, op, data: naming(index, altName) };
}

/** The request that takes such a name away; ENOENT or EINVAL when the link has none like it. */
export function altNameRemoval(index: number, altName: string, op: string): NetlinkRequest {
  return { type: RTM_DELLINKPROP, op, data: naming(index, altName) };
}
