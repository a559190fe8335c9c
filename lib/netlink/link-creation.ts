/**
 * Making bridges and veth pairs. The kernel takes no alias with a new link (rtnl_newlink_create): that is a request of
 * its own, in the same datagram.
 */
import { parseMac } from '../base/mac.ts';
import { DecodeError } from './attributes.ts';
import { vlanFilteringInfo } from './bridge-vlan.ts';
import { labelling } from './link-change.ts';
import { encodeLink } from './link-codec.ts';
import { decodeLink, getRequest } from './link-message.ts';
import type { Link } from './link-message.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { NLM_F_CREATE, NLM_F_EXCL, RTM_NEWLINK } from './uapi.ts';

/**
 * Creates what the first request describes, finishes it and returns it, in one exchange. The name must be free
 * (EEXIST).
 */
export function createAndFind(
  socket: NetlinkSocket,
  requests: readonly NetlinkRequest[],
  name: string,
): Link {
  const message = socket.requestAll([...requests, getRequest(name)]).at(-1)?.[0];
  if (message === undefined) throw new DecodeError(`the kernel did not describe the new interface ${name}`);
  return decodeLink(message);
}

/**
 * Creates a bridge, down, with a MAC address that stays whatever ports come and go, and an alias that says whose it is.
 */
export function createBridge(
  socket: NetlinkSocket,
  bridge: { name: string; mac: string; alias: string; mtu?: number; vlanFiltering?: boolean },
): Link {
  const request = {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    op: `create bridge ${bridge.name}`,
    data: encodeLink({
      name: bridge.name,
      mac: parseMac(bridge.mac),
      ...(bridge.mtu !== undefined && { mtu: bridge.mtu }),
      info: bridge.vlanFiltering ? vlanFilteringInfo() : { kind: 'bridge' },
    }),
  };
  return createAndFind(socket, [request, labelling({ name: bridge.name }, bridge.alias)], bridge.name);
}

/** The two ends of a veth; `netnsFd` is where the peer is born, under its final name and address. */
export interface VethPair {
  readonly name: string;
  readonly mac: string;
  readonly mtu?: number;
  readonly master?: number;
  readonly alias?: string;
  readonly peer: { readonly name: string; readonly mac: string; readonly netnsFd: number };
}

/**
 * Creates a veth with its peer in another namespace. Neither end is up: a veth whose peer is being born elsewhere
 * cannot be created up (ENOTCONN from veth_open), so both are raised afterwards.
 */
export function createVeth(socket: NetlinkSocket, pair: VethPair): Link {
  const mtu = pair.mtu !== undefined && { mtu: pair.mtu };
  const { name, mac, netnsFd } = pair.peer;
  const attributes = { name, mac: parseMac(mac), ...mtu, netnsFd };
  const request = {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    op: `create veth ${pair.name} with peer ${name}`,
    data: encodeLink({
      name: pair.name,
      mac: parseMac(pair.mac),
      ...mtu,
      ...(pair.master !== undefined && { master: pair.master }),
      info: { kind: 'veth', peer: { family: 0, type: 0, index: 0, flags: 0, change: 0, attributes } },
    }),
  };
  const { name: own, alias } = pair;
  return createAndFind(
    socket,
    [request, ...(alias === undefined ? [] : [labelling({ name: own }, alias)])],
    own,
  );
}
