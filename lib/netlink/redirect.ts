/**
 * Sending all that enters by one interface through another: a u32 classifier that matches everything, with the action
 * mirred (tc-u32(8), tc-mirred(8), linux/pkt_cls.h, linux/tc_act/tc_mirred.h). u32 because it is the oldest of the
 * classifiers, and what the reference plugin needs; matchall is not built into every kernel.
 */
import { isErrno } from '../base/errors.ts';
import { bytes, encode, nest, plainNest, struct, text } from './codec.ts';
import { INGRESS_HANDLE, encodeTc, tcMessage } from './qdisc.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';
import {
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELTFILTER,
  RTM_GETTFILTER,
  RTM_NEWTFILTER,
  TCA_ACT_KIND,
  TCA_ACT_OPTIONS,
  TCA_EGRESS_REDIR,
  TCA_MIRRED_PARMS,
  TCA_U32_ACT,
  TCA_U32_SEL,
  TC_ACT_STOLEN,
} from './uapi.ts';

/** Priority 1, and ETH_P_ALL in network order. */
const FIRST_OF_ALL_PROTOCOLS = 0x00010300;
/** struct tc_u32_sel with one key, of which no bit counts: terminal, one key. */
const EVERYTHING = Buffer.concat([Buffer.from([1, 0, 1, 0]), Buffer.alloc(28)]);
/** struct tc_mirred */
const MIRRED = 28;
const ACTION = 8;
const EACTION = 20;
const IFINDEX = 24;

/** An action of the kind mirred; those of other kinds have other options. */
const action = struct({
  kind: text(TCA_ACT_KIND),
  // With the flag, as tc writes it.
  options: nest(TCA_ACT_OPTIONS, struct({ parameters: bytes(TCA_MIRRED_PARMS) })),
});
/** Actions are numbered from one. */
const u32Options = struct({
  actions: plainNest(TCA_U32_ACT, struct({ first: plainNest(1, action) })),
  selector: bytes(TCA_U32_SEL),
});

function mirred(target: number): Buffer {
  const bytes = Buffer.alloc(MIRRED);
  bytes.writeInt32LE(TC_ACT_STOLEN, ACTION);
  bytes.writeInt32LE(TCA_EGRESS_REDIR, EACTION);
  bytes.writeUInt32LE(target, IFINDEX);
  return bytes;
}

/**
 * `tc filter add dev INDEX parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev
 * TARGET`. The interface must have the ingress discipline.
 */
export function redirectAddition(index: number, target: number, op: string): NetlinkRequest {
  const first = { kind: 'mirred', options: { parameters: mirred(target) } };
  const options = encode(u32Options, { actions: { first }, selector: EVERYTHING });
  const data = encodeTc({
    index,
    parent: INGRESS_HANDLE,
    info: FIRST_OF_ALL_PROTOCOLS,
    attributes: { kind: 'u32', options },
  });
  return { type: RTM_NEWTFILTER, flags: NLM_F_CREATE | NLM_F_EXCL, data, op };
}

/** `tc filter del dev INDEX parent ffff: protocol all prio 1`: whatever redirectAddition() has put there. */
export function redirectRemoval(index: number, op: string): NetlinkRequest {
  const data = encodeTc({ index, parent: INGRESS_HANDLE, info: FIRST_OF_ALL_PROTOCOLS });
  return { type: RTM_DELTFILTER, data, op };
}

/** Where the filter sends everything; undefined when it is another kind of filter. Throws DecodeError. */
export function targetOf({ data }: Pick<NetlinkMessage, 'data'>): number | undefined {
  const { kind, options } = tcMessage.get(data).attributes;
  if (kind !== 'u32' || options === undefined) return undefined;
  const { actions, selector = [] } = u32Options.get(Buffer.from(options));
  if (!Buffer.from(selector).subarray(0, EVERYTHING.length).equals(EVERYTHING)) return undefined;
  const parameters = Buffer.from(actions?.first?.options?.parameters ?? []);
  if (actions?.first?.kind !== 'mirred' || parameters.length < MIRRED) return undefined;
  return parameters.readInt32LE(EACTION) === TCA_EGRESS_REDIR ? parameters.readUInt32LE(IFINDEX) : undefined;
}

/** The interfaces (ifindex) that everything entering by this one is sent through; of one that was deleted, 0. */
export function listRedirects(socket: NetlinkSocket, index: number): number[] {
  const op = `list the filters of interface #${index}`;
  try {
    return socket
      .dump({ type: RTM_GETTFILTER, data: encodeTc({ index, parent: INGRESS_HANDLE }), op })
      .flatMap((message) => targetOf(message) ?? []);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}
