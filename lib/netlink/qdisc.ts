/** Queueing disciplines (tc(8), rtnetlink(7), linux/rtnetlink.h struct tcmsg, linux/pkt_sched.h). */
import { AttrStream } from './structs.ts';
import { isErrno } from '../base/errors.ts';
import { Attributes, DecodeError, text } from './attributes.ts';
import { NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE } from './socket.ts';
import type { NetlinkRequest, NetlinkSocket } from './socket.ts';
import { decodeTbf, encodeTbf } from './tbf.ts';
import type { Tbf, TbfState } from './tbf.ts';

const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
export const TCA_KIND = 1;
export const TCA_OPTIONS = 2;
/** Where a discipline hangs: on what leaves the interface, on what enters by it. */
const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;
/** Handles, "1:" and "ffff:" in tc's notation. */
const ROOT_HANDLE = 0x00010000;
export const INGRESS_HANDLE = 0xffff0000;
export const TCMSG = 20;

export interface Qdisc {
  readonly kind: string;
  /** Of kind "tbf". */
  readonly tbf: TbfState | undefined;
}

/** struct tcmsg */
export function tcmsg(index: number, handle: number, parent: number, info = 0): Buffer {
  const bytes = Buffer.alloc(TCMSG);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(handle, 8);
  bytes.writeUInt32LE(parent, 12);
  bytes.writeUInt32LE(info, 16);
  return bytes;
}

/** `tc qdisc replace dev INDEX root handle 1: tbf …`: what leaves the interface is held to a rate. */
export function tbfReplacement(index: number, tbf: Tbf, op: string): NetlinkRequest {
  const stream = new AttrStream();
  stream.push(TCA_KIND, text('tbf'));
  stream.push(TCA_OPTIONS, (options: AttrStream) => encodeTbf(tbf, options));
  const data = [tcmsg(index, ROOT_HANDLE, TC_H_ROOT), ...stream.bufs];
  return { type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE, data, op };
}

/** `tc qdisc add dev INDEX handle ffff: ingress`: it queues nothing, but lets filters see what enters by the interface. */
export function ingressAddition(index: number, op: string): NetlinkRequest {
  const stream = new AttrStream();
  stream.push(TCA_KIND, text('ingress'));
  const data = [tcmsg(index, INGRESS_HANDLE, TC_H_INGRESS), ...stream.bufs];
  return { type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_EXCL, data, op };
}

/** The discipline of what leaves an interface; undefined when the interface is gone. */
export function rootQdisc(socket: NetlinkSocket, index: number): Qdisc | undefined {
  // A dump would list those of every interface of the host (tc_dump_qdisc). A single one is told to those who listen for
  // changes, and to the asker only when it asks for an echo (qdisc_get_notify in net/sched/sch_api.c).
  const request = {
    type: RTM_GETQDISC,
    flags: NLM_F_ECHO,
    data: tcmsg(index, 0, TC_H_ROOT),
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

export function decodeQdisc(data: Buffer): Qdisc {
  if (data.length < TCMSG)
    throw new DecodeError(`a message of a queueing discipline has ${data.length} bytes`);
  const attributes = new Attributes(data.subarray(TCMSG));
  const kind = attributes.string(TCA_KIND) ?? '';
  const options = attributes.nested(TCA_OPTIONS);
  return { kind, tbf: kind === 'tbf' && options ? decodeTbf(options) : undefined };
}
