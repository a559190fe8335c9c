/** Routing rules against the bytes ip sends (rules.hex), and what the kernel answered it (rules-answers.hex). */
import t from 'tap';
import { parsePrefix } from '../../lib/base/ip.ts';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { encode } from '../../lib/netlink/codec.ts';
import { encodeRule, ruleMessage } from '../../lib/netlink/rule-codec.ts';
import { decodeRule, listRules, ruleAddition, ruleRemoval } from '../../lib/netlink/rule.ts';
import type { Rule } from '../../lib/netlink/rule.ts';
import { FakeKernel, done } from '../unit/netlink-fake-kernel.ts';
import { readGoldens } from './golden.ts';
import type { GoldenMessage } from './golden.ts';

const RTM_NEWRULE = 32;
const goldens = readGoldens('rules.hex');
const answers = readGoldens('rules-answers.hex');

function golden(command: string): GoldenMessage {
  const message = goldens.find((each) => each.command === command)?.messages[0];
  if (message === undefined) throw new Error(`there is no golden of ${command}`);
  return message;
}

const hex = ({ type, flags, data }: GoldenMessage) => ({ type, flags, data: data.toString('hex') });

/** A request as the socket would send it: NLM_F_REQUEST and NLM_F_ACK come with every one. */
function sent(request: ReturnType<typeof ruleAddition>): GoldenMessage {
  const data = Buffer.from(request.data as Uint8Array);
  return { type: request.type, flags: (request.flags ?? 0) | 0x5, data };
}

const lookup = { family: 4, action: 'lookup' } as const;

/** By the command line that says the same. */
const RULES: Readonly<Record<string, Rule>> = {
  'ip rule add from 10.1.2.3 table 100': { ...lookup, from: parsePrefix('10.1.2.3/32'), table: 100 },
  'ip -6 rule add from fd00::1/64 table 1000 priority 77 protocol 99': {
    family: 6,
    action: 'lookup',
    from: parsePrefix('fd00::1/64'),
    table: 1000,
    priority: 77,
    protocol: 99,
  },
  'ip rule add from 10.1.2.0/24 to 10.9.0.0/16 iif quay oif buoy fwmark 0x10/0xff table 1001 priority 50 protocol 99':
    {
      ...lookup,
      from: parsePrefix('10.1.2.0/24'),
      to: parsePrefix('10.9.0.0/16'),
      iif: 'quay',
      oif: 'buoy',
      mark: { value: 0x10, mask: 0xff },
      table: 1001,
      priority: 50,
      protocol: 99,
    },
  'ip rule add iif quay unreachable priority 60 protocol 99': {
    family: 4,
    action: 'unreachable',
    iif: 'quay',
    priority: 60,
    protocol: 99,
  },
  'ip rule add not fwmark 7 table main suppress_prefixlength 0 priority 70': {
    ...lookup,
    invert: true,
    mark: { value: 7 },
    table: 254,
    suppressPrefixLength: 0,
    priority: 70,
  },
  'ip -6 rule add iif quay blackhole priority 61': {
    family: 6,
    action: 'blackhole',
    iif: 'quay',
    priority: 61,
  },
  'ip rule add iif quay prohibit priority 62': { family: 4, action: 'prohibit', iif: 'quay', priority: 62 },
};

t.test('rules are added and removed with ip’s bytes', async (t) => {
  for (const [command, rule] of Object.entries(RULES))
    t.strictSame(hex(sent(ruleAddition(rule, 'add'))), hex(golden(command)), command);
  const removal = 'ip rule del from 10.1.2.3 table 100';
  const [first] = Object.values(RULES);
  // ip leaves the action out, so that it would remove a rule of another one as well.
  const ours = sent(ruleRemoval(first as Rule, 'remove'));
  const theirs = golden(removal);
  t.equal(ours.type, theirs.type);
  t.strictSame({ ...ruleMessage.get(ours.data), action: 0 }, ruleMessage.get(theirs.data));
});

t.test('rules of both families are listed at once, and those of multicast routing left out', async (t) => {
  const of = (command: string): readonly GoldenMessage[] =>
    (answers.find((each) => each.command === command)?.messages ?? []).filter(
      ({ type }) => type === RTM_NEWRULE,
    );
  const both = [...of('ip rule show'), ...of('ip -6 rule show')];
  const [first] = both;
  if (first === undefined) throw new Error('there are no rules');
  const multicast = Buffer.from(first.data);
  // RTNL_FAMILY_IPMR (linux/rtnetlink.h).
  multicast[0] = 128;
  const kernel = new FakeKernel(() => [[...both, { ...first, data: multicast }], [done()]]);
  const rules = listRules(kernel.socket());
  t.equal(kernel.requests[0]?.data[0], 0, 'AF_UNSPEC');
  t.strictSame(rules, both.map(decodeRule));
  t.same([...new Set(rules.map(({ family }) => family))], [4, 6]);
});

t.test('rules are listed with ip’s question, and read as what was added', async (t) => {
  for (const [family, command] of [
    [4, 'ip rule show'],
    [6, 'ip -6 rule show'],
  ] as const) {
    const told = (answers.find((each) => each.command === command)?.messages ?? []).filter(
      ({ type }) => type === RTM_NEWRULE,
    );
    const kernel = new FakeKernel(() => [told, [done()]]);
    const rules = listRules(kernel.socket(), family);
    t.equal(kernel.requests[0]?.data.toString('hex'), golden(command).data.toString('hex'), command);
    const added = Object.values(RULES).filter(
      (rule) => rule.family === family && rule.priority !== undefined,
    );
    for (const { mark, invert = false, ...rule } of added) {
      const found = rules.find(({ priority }) => priority === rule.priority);
      t.match(found, { invert, ...rule }, `${command}: ${rule.priority}`);
      t.strictSame(found?.mark, mark && { mask: 0xffffffff, ...mark });
    }
    t.strictSame(
      rules.map(({ priority }) => priority),
      rules.map(({ priority }) => priority).toSorted((a, b) => a - b),
      'in their order',
    );
    t.match(
      rules[0],
      { priority: 0, action: 'lookup', table: 255, protocol: 2 },
      'the first is the local table',
    );
    for (const { data } of told) {
      const message = ruleMessage.get(data);
      t.strictSame(ruleMessage.get(encode(ruleMessage, message)), message, 'nothing of it is lost');
    }
  }
});

t.test('what is no rule of the Internet’s families is refused', async (t) => {
  const from = parsePrefix('10.0.0.0/8').address;
  const bad = [
    encodeRule({ family: 7 }),
    encodeRule({ family: 2, sourceLength: 33, attributes: { source: from } }),
    encodeRule({ family: 2, sourceLength: 8 }),
    encodeRule({ family: 10, length: 8, attributes: { destination: from } }),
    encodeRule({ family: 2 }).subarray(0, 11),
  ];
  for (const data of bad) t.throws(() => decodeRule({ data }), { name: DecodeError.name });
  t.match(decodeRule({ data: encodeRule({ family: 2, action: 2 }) }), {
    action: undefined,
    table: undefined,
  });
});
