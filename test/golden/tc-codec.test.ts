/** Token buckets and redirection against the bytes tc sends (test/golden/tc.hex). */
import t from 'tap';
import { DecodeError, eachAttribute } from '../../lib/netlink/attributes.ts';
import { decodeQdisc, ingressAddition, tbfReplacement, tcMessage } from '../../lib/netlink/qdisc.ts';
import { redirectAddition } from '../../lib/netlink/redirect.ts';
import type { NetlinkRequest } from '../../lib/netlink/socket.ts';
import { tbfOf } from '../../lib/netlink/tbf.ts';
import { readGoldens } from './golden.ts';
import type { GoldenMessage } from './golden.ts';

const NLM_F_REQUEST_AND_ACK = 5;
const TCMSG = 20;
const [QUAY, QUEUE] = [10, 12];
const LATENCY_MS = 25;

const goldens = new Map(
  readGoldens('tc.hex').map(({ command, messages: [message] }) => {
    if (message === undefined) throw new Error(`no message of ${command}`);
    return [command, message];
  }),
);

function golden(command: string): GoldenMessage {
  const message = goldens.get(command);
  if (message === undefined) throw new Error(`there is no golden of ${command}`);
  return message;
}

function sent({ type, flags = 0, data }: NetlinkRequest): GoldenMessage {
  return { type, flags: flags | NLM_F_REQUEST_AND_ACK, data: Buffer.concat([data].flat()) };
}

/**
 * What counts of a token bucket's message. The rate table (attribute 2), and what in struct tc_ratespec describes it
 * (bytes 0, 4 and 5), is for kernels before 3.8; of a rate beyond 32 bits tc 6.1 computes the time of the burst
 * wrongly, and the kernel goes by the bytes (TCA_TBF_BURST) anyway.
 */
function essence({ type, flags, data }: GoldenMessage): object {
  const { kind, options } = tcMessage.get(data).attributes;
  const found = new Map<number, Buffer>();
  eachAttribute(Buffer.from(options ?? []), (number, payload) => found.set(number, payload));
  const parameters = Buffer.from(found.get(1) ?? '');
  parameters.fill(0, 0, 1).fill(0, 4, 6);
  if (found.has(4)) parameters.fill(0, 28, 32);
  const hex = (bytes: Buffer | undefined): string | undefined => bytes?.toString('hex');
  return {
    type,
    flags,
    header: hex(data.subarray(0, TCMSG)),
    kind,
    parameters: hex(parameters),
    burst: hex(found.get(6)),
    rate64: hex(found.get(4)),
  };
}

const BUCKETS = [
  { command: 'dev quay root handle 1: tbf rate 8mbit burst 100000', index: QUAY, rate: 1e6, burst: 100_000 },
  {
    command: 'dev quay root handle 1: tbf rate 123456kbit burst 54321',
    index: QUAY,
    rate: 15_432_000,
    burst: 54_321,
  },
  {
    command: 'dev queue root handle 1: tbf rate 40gbit burst 500000000',
    index: QUEUE,
    rate: 5e9,
    burst: 5e8,
  },
];

t.test('token buckets are written as tc writes them', async (t) => {
  for (const { command, index, rate, burst } of BUCKETS) {
    const theirs = golden(`tc qdisc replace ${command} latency 25ms`);
    const ours = sent(tbfReplacement(index, tbfOf(rate, burst, LATENCY_MS), command));
    t.strictSame(essence(ours), essence(theirs), command);
  }
});

t.test('the ingress discipline and the redirection are tc’s to the byte', async (t) => {
  t.strictSame(sent(ingressAddition(QUAY, 'add')), golden('tc qdisc add dev quay handle ffff: ingress'));
  t.strictSame(
    sent(redirectAddition(QUAY, QUEUE, 'redirect')),
    golden(
      'tc filter add dev quay parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev queue',
    ),
  );
});

t.test('what tc sends is read', async (t) => {
  const read = (command: string): object => decodeQdisc(golden(`tc qdisc ${command}`).data);
  t.strictSame(read('replace dev quay root handle 1: tbf rate 8mbit burst 100000 latency 25ms'), {
    kind: 'tbf',
    tbf: { rate: 1e6, ticks: 1_562_500, limit: 125_000 },
  });
  t.match(read('replace dev queue root handle 1: tbf rate 40gbit burst 500000000 latency 25ms'), {
    tbf: { rate: 5e9, limit: 625e6 },
  });
  t.strictSame(read('add dev quay handle ffff: ingress'), { kind: 'ingress', tbf: undefined });
});

t.test('a message cut anywhere is refused or read, never read beyond its end', async (t) => {
  const { data } = golden(
    'tc qdisc replace dev queue root handle 1: tbf rate 40gbit burst 500000000 latency 25ms',
  );
  let refused = 0;
  for (let length = 0; length < data.length; length++) {
    try {
      decodeQdisc(Buffer.from(data.subarray(0, length)));
    } catch (error) {
      refused++;
      if (!(error instanceof DecodeError)) t.fail(`cut at ${length}: ${String(error)}`);
    }
  }
  t.ok(refused > TCMSG);
});
