/** Queueing disciplines (tc(8), rtnetlink(7), linux/rtnetlink.h struct tcmsg, linux/pkt_sched.h). */
import { isErrno } from '../base/errors.ts';
import { bytes, encode, headed, struct, text } from './codec.ts';
import type { Decoded } from './codec.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { decodeTbf, encodeTbf } from './tbf.ts';
import type { Tbf, TbfState } from './tbf.ts';
import {
  NLM_F_CREATE,
  NLM_F_ECHO,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_GETQDISC,
  RTM_NEWQDISC,
  TCA_KIND,
  TCA_OPTIONS,
  TC_H_INGRESS,
  TC_H_ROOT,
} from './uapi.ts';

/** Handles, "1:" and "ffff:" in tc's notation. */
const ROOT_HANDLE = 0x00010000;
export const INGRESS_HANDLE = 0xffff0000;

export interface Qdisc {
  readonly kind: string;
  /** Of kind "tbf". */
  readonly tbf: TbfState | undefined;
}

/** Of disciplines and filters alike; what `options` are depends on the kind. */
const tcAttributes = struct({ kind: text(TCA_KIND), options: bytes(TCA_OPTIONS) });

/** What follows the netlink header of RTM_NEWQDISC, RTM_NEWTFILTER and their like; reading throws DecodeError. */
export const tcMessage = headed(
  'a message of traffic control',
  {
    family: 1,
    /** ifindex */
    index: 4,
    handle: 4,
    parent: 4,
    /** Of a filter its priority, and the protocol in network order. */
    info: 4,
  },
  tcAttributes,
);
export type TcMessage = Decoded<typeof tcMessage>;

export function encodeTc(message: Pick<TcMessage, 'index' | 'parent'> & Partial<TcMessage>): Buffer {
  return encode(tcMessage, { family: 0, handle: 0, info: 0, attributes: {}, ...message });
}

/** `tc qdisc replace dev INDEX root handle 1: tbf …`: what leaves the interface is held to a rate. */
export function tbfReplacement(index: number, tbf: Tbf, op: string): NetlinkRequest {
  const attributes = { kind: 'tbf', options: encodeTbf(tbf) };
  const data = encodeTc({ index, handle: ROOT_HANDLE, parent: TC_H_ROOT, attributes });
  return { type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE, data, op };
}

/**
 * `tc qdisc add dev INDEX handle ffff: ingress`: it queues nothing, but lets filters see what enters by the interface.
 */
export function ingressAddition(index: number, op: string): NetlinkRequest {
  const attributes = { kind: 'ingress' };
  const data = encodeTc({ index, handle: INGRESS_HANDLE, parent: TC_H_INGRESS, attributes });
  return { type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_EXCL, data, op };
}

/** The discipline of what leaves an interface; undefined when the interface is gone. */
export function rootQdisc(socket: NetlinkSocket, index: number): Qdisc | undefined {
  // A dump would list those of every interface of the host (tc_dump_qdisc). A single one is told to those who listen
  // for changes, and to the asker only when it asks for an echo (qdisc_get_notify in net/sched/sch_api.c).
  const request = {
    type: RTM_GETQDISC,
    flags: NLM_F_ECHO,
    data: encodeTc({ index, parent: TC_H_ROOT }),
    op: `look up the queueing discipline of interface #${index}`,
  };
  try {
    const answer = socket.request(request).find(({ type }) => type === RTM_NEWQDISC);
    return answer && decodeQdisc(answer.data);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return undefined;
    throw error;
  }
}

/** Throws DecodeError. */
export function decodeQdisc(data: Buffer): Qdisc {
  const { kind = '', options } = tcMessage.get(data).attributes;
  return { kind, tbf: kind === 'tbf' && options ? decodeTbf(Buffer.from(options)) : undefined };
}
