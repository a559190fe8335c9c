/**
 * Whatever bytes come as a message, a decoder gives a value or throws DecodeError; and what it read it writes so that
 * it reads the same again. See properties.ts.
 */
import fc from 'fast-check';
import t from 'tap';
import { isDeepStrictEqual } from 'node:util';
import { parseAttributes } from 'netlink/dist/structs.js';
import { addressMessage } from '../../lib/netlink/address-codec.ts';
import { decodeAddress } from '../../lib/netlink/address.ts';
import { decodeAnnouncedPrefix } from '../../lib/netlink/announced-prefix.ts';
import { DecodeError, eachAttribute } from '../../lib/netlink/attributes.ts';
import { bridgeSpec } from '../../lib/netlink/bridge-vlan.ts';
import { encode } from '../../lib/netlink/codec.ts';
import type { Codec } from '../../lib/netlink/codec.ts';
import { flowIn } from '../../lib/netlink/conntrack.ts';
import { fdbMessage, unicastOf } from '../../lib/netlink/fdb.ts';
import { decodeInet6, families } from '../../lib/netlink/inet6.ts';
import { decodeSocket } from '../../lib/netlink/inet-diag.ts';
import { linkMessage } from '../../lib/netlink/link-codec.ts';
import { decodeLink } from '../../lib/netlink/link-message.ts';
import { decodeAnswer, decodeDone, decodeMessages, encodeMessage } from '../../lib/netlink/message.ts';
import { decodeNdOption } from '../../lib/netlink/nd-option.ts';
import { decodeNeighbour } from '../../lib/netlink/neighbour.ts';
import { decodeNsid, nsidMessage } from '../../lib/netlink/nsid.ts';
import { decodeProxy } from '../../lib/netlink/proxy-neighbour.ts';
import { decodeQdisc, tcMessage } from '../../lib/netlink/qdisc.ts';
import { targetOf } from '../../lib/netlink/redirect.ts';
import { routeMessage } from '../../lib/netlink/route-codec.ts';
import { decodeRoute } from '../../lib/netlink/route.ts';
import { ruleMessage } from '../../lib/netlink/rule-codec.ts';
import { decodeRule } from '../../lib/netlink/rule.ts';
import { AF_BRIDGE } from '../../lib/netlink/uapi.ts';
import { readGoldens } from '../golden/golden.ts';
import { answer, done } from '../unit/netlink-fake-kernel.ts';
import { editedBytes, guarded } from './byte-edits.ts';
import { asking, rounds } from './properties.ts';

const ROUNDS = 10_000;

/**
 * conntrack -L -p udp: what the kernel told of a flow from 10.88.0.1 to 10.88.0.7, port 53, which answers as 10.1.0.2.
 */
const FLOW = Buffer.from(
  '02000000' +
    '340001801400018008000100' +
    '0a58000108000200' +
    '0a5800071c000280050001001100000006000200a0860000060003000035000034000280140001800800010' +
    '00a010002080002000a5800011c0002800500010011000000060002000035000006000300a086000008000c00deadbeef',
  'hex',
);

/** What the kernel told of router advertisements: a prefix, two resolvers, search domains, and some that are none. */
const OPTIONS = [
  '0a002000030000008600000000000000030440c000000e10000007080000000020010db8000700000000000000000000',
  '0a002800030000008600000000000000190500000000025820010db8000700000000000000000053' +
    'fe800000000000000000000000000053',
  '0a0020000300000086000000000000001f040000000002bc076578616d706c65036f726700036c616e00000000000000',
  '0a0018000300000086000000000000001f03000000000009026f6b00036120620002780a00000000',
].map((digits) => Buffer.from(`${digits}14000100fe80000000000000083d28fffe0df013`, 'hex'));

/** What the kernel told of a prefix that a router advertises, 2001:db8:9::/64. */
const PREFIX = Buffer.from('0a000000030000000340c0001400010020010db8000900000000000000000000', 'hex');

/** What the kernel told of a TCP socket that listens on [::]:2225, for IPv6 alone. */
const SOCKET = Buffer.from(
  '0a0a000008b1' +
    '00'.repeat(38) +
    'b1280000000000000000000000000000050000000000000074bd0802050008000000000005000b000100000008000f0000000000' +
    '0c00150001000000000000000600160012000000',
  'hex',
);

interface Subject {
  readonly name: string;
  readonly read: (data: Buffer) => unknown;
  readonly codec?: Codec<unknown>;
  readonly seeds: readonly Buffer[];
}

const goldens = ['ip.hex', 'ip-answers.hex', 'rules.hex', 'rules-answers.hex', 'tc.hex']
  .flatMap(readGoldens)
  .flatMap(({ messages }) => messages);
const ofTypes = (first: number): Buffer[] =>
  goldens.filter(({ type }) => type >> 2 === first >> 2).map(({ data }) => data);
const message = (data: Buffer, flags = 0) => ({ type: 0, seq: 0, flags, data });
const SPECS = ofTypes(16).flatMap((data) => {
  const { attributes } = linkMessage.get(data);
  return attributes.families ? [Buffer.from(attributes.families)] : [];
});
const VLANS = readGoldens('vlan.hex')
  .flatMap(({ messages }) => messages)
  .flatMap(({ data }) => {
    const { attributes } = linkMessage.get(data);
    return data[0] === AF_BRIDGE && attributes.families ? [Buffer.from(attributes.families)] : [];
  });
const answers = [answer(), answer(17, 'it is there'), answer(1, 'no')];

const SUBJECTS: readonly Subject[] = [
  {
    name: 'links',
    read: (data) => decodeLink(message(data)),
    codec: linkMessage as Codec<unknown>,
    seeds: ofTypes(16),
  },
  {
    name: 'what IPv6 knows of links',
    read: (data) => decodeInet6({ data }),
    seeds: ofTypes(16),
  },
  { name: 'address families of links', read: families.get, codec: families as Codec<unknown>, seeds: SPECS },
  {
    name: 'addresses',
    read: (data) => decodeAddress({ data }),
    codec: addressMessage as Codec<unknown>,
    seeds: ofTypes(20),
  },
  {
    name: 'routes',
    read: (data) => decodeRoute({ data }),
    codec: routeMessage as Codec<unknown>,
    seeds: ofTypes(24),
  },
  {
    name: 'rules',
    read: (data) => decodeRule({ data }),
    codec: ruleMessage as Codec<unknown>,
    seeds: ofTypes(32),
  },
  {
    name: 'ids of namespaces',
    read: (data) => decodeNsid({ data }),
    codec: nsidMessage as Codec<unknown>,
    seeds: ofTypes(88),
  },
  {
    name: 'options of routers',
    read: (data) => {
      const { rdnss, dnssl } = decodeNdOption({ data });
      const { domains = [] } = dnssl ?? {};
      if (domains.some((domain) => domain.length > 253 || !/^[\w-]+(\.[\w-]+)*$/.test(domain)))
        throw new Error(`a domain is ${domains.join(' ')}`);
      if (domains.length * 3 + (rdnss?.servers.length ?? 0) * 16 > data.length)
        throw new Error('more than there is room for');
    },
    seeds: OPTIONS,
  },
  {
    name: 'unicast addresses',
    read: (data) => unicastOf({ data }),
    codec: fdbMessage as Codec<unknown>,
    seeds: ofTypes(28),
  },
  { name: 'neighbours', read: (data) => decodeNeighbour({ data }), seeds: ofTypes(28) },
  { name: 'proxies', read: (data) => decodeProxy({ data }), seeds: ofTypes(28) },
  { name: 'prefixes of routers', read: (data) => decodeAnnouncedPrefix({ data }), seeds: [PREFIX] },
  { name: 'VLANs of ports', read: bridgeSpec.get, codec: bridgeSpec as Codec<unknown>, seeds: VLANS },
  { name: 'disciplines', read: decodeQdisc, codec: tcMessage as Codec<unknown>, seeds: ofTypes(36) },
  {
    name: 'filters',
    read: (data) => targetOf({ data }),
    codec: tcMessage as Codec<unknown>,
    seeds: ofTypes(44),
  },
  { name: 'sockets', read: (data) => decodeSocket('tcp', { data }), seeds: [SOCKET] },
  { name: 'flows', read: (data) => flowIn({ data }), seeds: [FLOW] },
  {
    name: 'answers',
    // NLM_F_ACK_TLVS, with and without NLM_F_CAPPED.
    read: (data) => [0, 0x200, 0x300].map((flags) => decodeAnswer(message(data, flags))),
    seeds: answers.map(({ data }) => Buffer.from(data)),
  },
  {
    name: 'ends of dumps',
    read: (data) => [0, 0x200].map((flags) => decodeDone(message(data, flags))),
    seeds: [Buffer.from(done(17).data)],
  },
  {
    name: 'datagrams',
    read: decodeMessages,
    seeds: [Buffer.concat(goldens.slice(0, 3).flatMap((each) => encodeMessage({ ...each, seq: 1 })))],
  },
];

function isRefused({ read }: Subject, data: Buffer): boolean {
  try {
    read(data);
    return false;
  } catch {
    return true;
  }
}

/** What is wrong with how this is read; undefined when nothing is. */
function fault({ read, codec }: Subject, data: Buffer): string | undefined {
  const bytes = guarded(data);
  let error: unknown;
  try {
    read(bytes);
  } catch (thrown) {
    error = thrown;
  }
  if (error !== undefined && !(error instanceof DecodeError)) return `threw ${String(error)}`;
  if (codec === undefined) return undefined;
  let value: unknown;
  try {
    value = codec.get(bytes);
  } catch (thrown) {
    return thrown instanceof DecodeError ? undefined : `threw ${String(thrown)}`;
  }
  const again = codec.get(encode(codec, value));
  return isDeepStrictEqual(again, value) ? undefined : 'is read otherwise once it was written';
}

for (const subject of SUBJECTS) {
  t.test(`${subject.name}: edited messages of the kernel`, async (t) => {
    t.ok(subject.seeds.length > 0, 'there are examples');
    t.strictSame(
      subject.seeds.map((seed) => fault(subject, seed)).filter(Boolean),
      [],
      'the examples themselves',
    );
    const counted = { read: 0, refused: 0 };
    const isRead = fc.property(editedBytes(subject.seeds), (data) => {
      const problem = fault(subject, data);
      if (problem !== undefined) throw new Error(`${problem} ${data.toString('hex')}`);
      counted[isRefused(subject, data) ? 'refused' : 'read']++;
    });
    fc.assert(isRead, asking(ROUNDS));
    const { read, refused } = counted;
    t.ok(refused > rounds(ROUNDS) / 50 && read > 0, `some are refused (${refused}), some are read (${read})`);
  });
}

/** Types with their flags, and payloads; undefined where it is refused. */
function orRefused(read: (told: (type: number, payload: string) => void) => void): unknown {
  const found: unknown[] = [];
  try {
    read((type, payload) => found.push([type, payload]));
    return found;
  } catch {
    return undefined;
  }
}

t.test('attributes are those that the netlink package finds', async (t) => {
  const seeds = ofTypes(16).map((data) => data.subarray(16));
  const alike = fc.property(editedBytes(seeds), (data) => {
    const ours = orRefused((told) =>
      eachAttribute(guarded(data), (type, payload) => told(type, payload.toString('hex'))),
    );
    const theirs = orRefused((told) =>
      parseAttributes(data, ({ type, nested, no, data: payload }) =>
        told(type | (nested ? 0x8000 : 0) | (no ? 0x4000 : 0), Buffer.from(payload).toString('hex')),
      ),
    );
    if (!isDeepStrictEqual(ours, theirs)) throw new Error(data.toString('hex'));
  });
  fc.assert(alike, asking(ROUNDS));
  t.ok(seeds.length > 20, `of ${seeds.length} messages`);
});

t.test('a flow is read as what it is', async (t) => {
  t.match(flowIn({ data: FLOW }), {
    port: 53,
    destination: { value: 0x0a580007n },
    answerer: { value: 0x0a010002n },
  });
});
