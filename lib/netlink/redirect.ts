/**
 * Sending all that enters by one interface through another: a u32 classifier that matches everything, with the action mirred
 * (tc-u32(8), tc-mirred(8), linux/pkt_cls.h, linux/tc_act/tc_mirred.h). u32 because it is the oldest of the classifiers, and
 * what the reference plugin needs; matchall is not built into every kernel.
 */
import { AttrStream, formatAttribute, pad } from './structs.ts';
import { isErrno } from '../base/errors.ts';
import { Attributes, text } from './attributes.ts';
import { INGRESS_HANDLE, TCA_KIND, TCA_OPTIONS, TCMSG, tcmsg } from './qdisc.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './socket.ts';
import type { NetlinkMessage, NetlinkRequest, NetlinkSocket } from './socket.ts';

const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
/** Priority 1, and ETH_P_ALL in network order. */
const FIRST_OF_ALL_PROTOCOLS = 0x00010300;
/** struct tc_u32_sel with one key, of which no bit counts: terminal, one key. */
const EVERYTHING = Buffer.concat([Buffer.from([1, 0, 1, 0]), Buffer.alloc(28)]);
/** struct tc_mirred */
const MIRRED = 28;
const ACTION = 8;
const EACTION = 20;
const IFINDEX = 24;

function mirred(target: number): Buffer {
  const bytes = Buffer.alloc(MIRRED);
  bytes.writeInt32LE(TC_ACT_STOLEN, ACTION);
  bytes.writeInt32LE(TCA_EGRESS_REDIR, EACTION);
  bytes.writeUInt32LE(target, IFINDEX);
  return bytes;
}

/**
 * `tc filter add dev INDEX parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev TARGET`. The
 * interface must have the ingress discipline.
 */
export function redirectAddition(index: number, target: number, op: string): NetlinkRequest {
  // TCA_ACT_OPTIONS has the nested flag, as with tc, which AttrStream never sets: this part is written by hand.
  const parameters = formatAttribute({ type: TCA_MIRRED_PARMS, data: mirred(target) });
  const action = [
    ...pad(formatAttribute({ type: TCA_ACT_KIND, data: text('mirred') })),
    ...formatAttribute({ type: TCA_ACT_OPTIONS, nested: true, data: parameters }),
  ];
  const stream = new AttrStream();
  stream.push(TCA_KIND, text('u32'));
  stream.push(TCA_OPTIONS, (options: AttrStream) => {
    options.push(TCA_U32_ACT, (actions: AttrStream) => actions.push(1, action));
    options.push(TCA_U32_SEL, EVERYTHING);
  });
  const data = [tcmsg(index, 0, INGRESS_HANDLE, FIRST_OF_ALL_PROTOCOLS), ...stream.bufs];
  return { type: RTM_NEWTFILTER, flags: NLM_F_CREATE | NLM_F_EXCL, data, op };
}

/** Where the filter sends everything; undefined when it is another kind of filter. */
function targetOf({ data }: NetlinkMessage): number | undefined {
  const attributes = new Attributes(data.subarray(TCMSG));
  const options = attributes.nested(TCA_OPTIONS);
  const selector = options?.bytes(TCA_U32_SEL);
  if (attributes.string(TCA_KIND) !== 'u32' || !selector?.subarray(0, EVERYTHING.length).equals(EVERYTHING))
    return undefined;
  const action = options?.nested(TCA_U32_ACT)?.nested(1);
  const parameters = action?.nested(TCA_ACT_OPTIONS)?.bytes(TCA_MIRRED_PARMS);
  if (action?.string(TCA_ACT_KIND) !== 'mirred' || parameters === undefined || parameters.length < MIRRED)
    return undefined;
  return parameters.readInt32LE(EACTION) === TCA_EGRESS_REDIR ? parameters.readUInt32LE(IFINDEX) : undefined;
}

/** The interfaces (ifindex) that everything entering by this one is sent through; of one that was deleted, 0. */
export function listRedirects(socket: NetlinkSocket, index: number): number[] {
  const op = `list the filters of interface #${index}`;
  try {
    return socket
      .dump({ type: RTM_GETTFILTER, data: tcmsg(index, 0, INGRESS_HANDLE), op })
      .flatMap((message) => targetOf(message) ?? []);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}
