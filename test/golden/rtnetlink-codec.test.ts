/**
 * Links, addresses and routes against the bytes ip and bridge send (test/golden/ip.hex), and what the kernel answered
 * them (test/golden/ip-answers.hex).
 */
import { constants } from 'node:os';
import { inspect } from 'node:util';
import t from 'tap';
import { isErrno } from '../../lib/base/errors.ts';
import { formatPrefix, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { addressMessage } from '../../lib/netlink/address-codec.ts';
import { addressAddition, addressRemoval, decodeAddress } from '../../lib/netlink/address.ts';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import { encode, struct } from '../../lib/netlink/codec.ts';
import type { Codec } from '../../lib/netlink/codec.ts';
import { decodeInet6, families, inet6Change } from '../../lib/netlink/inet6.ts';
import { fdbMessage, listUnicast } from '../../lib/netlink/fdb.ts';
import { createIfb } from '../../lib/netlink/ifb.ts';
import { altNaming } from '../../lib/netlink/alt-name.ts';
import { linkChange, portChange } from '../../lib/netlink/link-change.ts';
import { linkMessage } from '../../lib/netlink/link-codec.ts';
import { createBridge, createVeth } from '../../lib/netlink/link-creation.ts';
import { decodeLink } from '../../lib/netlink/link-message.ts';
import { MACVLAN_FLAG_NOPROMISC, macvlanCreation } from '../../lib/netlink/macvlan.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { assignNsid, decodeNsid, listNsids, nsidMessage, nsidOf } from '../../lib/netlink/nsid.ts';
import { listProxies, proxyAddition, proxyRemoval } from '../../lib/netlink/proxy-neighbour.ts';
import { routeMessage } from '../../lib/netlink/route-codec.ts';
import {
  ICMPV6_ROUTER_PREF_HIGH,
  RTPROT_KERNEL,
  RTPROT_STATIC,
  decodeRoute,
  lookupRoute,
  routeAddition,
} from '../../lib/netlink/route.ts';
import type { Route } from '../../lib/netlink/route.ts';
import type { NetlinkRequest, NetlinkSocket } from '../../lib/netlink/socket.ts';
import { IFA_F_NODAD, IFF_UP, IF_OPER_UP, NLM_F_ACK, RTM_NEWLINKPROP } from '../../lib/netlink/uapi.ts';
import { FakeKernel, answer, done } from '../unit/netlink-fake-kernel.ts';
import { readGoldens } from './golden.ts';
import type { GoldenMessage } from './golden.ts';

const [QUAY, BUOY, QUEUE] = [10, 11, 12];
const goldens = readGoldens('ip.hex');
const answers = readGoldens('ip-answers.hex').map(({ command, messages }) => ({
  command,
  messages: messages.filter(({ type }) => [16, 20, 24, 28, 88].includes(type)),
}));

/** RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH and RTM_NEWNSID each begin a group of four. */
function codecOf(type: number): Codec<unknown> {
  const codec = { 4: linkMessage, 5: addressMessage, 6: routeMessage, 7: fdbMessage, 22: nsidMessage }[
    type >> 2
  ];
  if (codec === undefined) throw new Error(`there is no codec of messages of type ${type}`);
  return codec as Codec<unknown>;
}

function golden(command: string): GoldenMessage {
  const message = goldens.find((each) => each.command === command)?.messages.at(-1);
  if (message === undefined) throw new Error(`there is no golden of ${command}`);
  return message;
}

function answered(command: string): GoldenMessage[] {
  const messages = answers.find((each) => each.command === command)?.messages ?? [];
  if (messages.length === 0) throw new Error(`there is no golden of what ${command} was answered`);
  return messages;
}

/** The first request that `work` makes. */
function requestOf(work: (socket: NetlinkSocket) => void): GoldenMessage {
  const kernel = new FakeKernel(({ flags }) => [[answer(flags & NLM_F_ACK ? 0 : constants.errno.ENODEV)]]);
  try {
    work(kernel.socket());
  } catch (error) {
    // The made-up kernel has nothing that could be asked for, and does not describe what was created.
    if (!(error instanceof DecodeError) && !isErrno(error, 'ENODEV')) throw error;
  }
  const [request] = kernel.requests;
  if (request === undefined) throw new Error('nothing was asked');
  return request;
}

function sent({ type, flags = 0, data }: NetlinkRequest): GoldenMessage {
  return { type, flags: flags | 5, data: Buffer.concat([data].flat()) };
}

function hex({ type, flags, data }: GoldenMessage): object {
  return { type, flags, data: data.toString('hex') };
}

t.test('what ip and bridge send is read whole, and written back to the same bytes', async (t) => {
  const messages = goldens.flatMap(({ command, messages }) => messages.map((each) => ({ command, ...each })));
  t.ok(messages.length > 20, 'there are goldens');
  // A list of names, which is only ever written.
  for (const { command, type, data } of messages.filter((each) => each.type !== RTM_NEWLINKPROP)) {
    const codec = codecOf(type);
    const message = codec.get(data);
    t.notMatch(inspect(message, { depth: null }), /unknown:|data:|slaveData:/, command);
    t.equal(encode(codec, message).toString('hex'), data.toString('hex'), command);
  }
});

t.test('links are changed and removed with ip’s bytes', async (t) => {
  const same = (ours: NetlinkRequest | GoldenMessage, command: string): unknown =>
    t.strictSame(hex('op' in ours ? sent(ours) : ours), hex(golden(command)), command);
  same(
    altNaming(QUAY, 'pier-of-the-harbour', 'name'),
    'ip link property add dev quay altname pier-of-the-harbour',
  );
  same(linkChange(QUEUE, { up: true }, 'raise'), 'ip link set dev queue up');
  same(linkChange(QUAY, { up: false }, 'lower'), 'ip link set dev quay down');
  same(linkChange(QUAY, { promiscuous: true }, 'listen'), 'ip link set dev quay promisc on');
  same(
    linkChange(BUOY, { mac: '02:00:00:00:00:04', mtu: 1300 }, 'change'),
    'ip link set dev buoy address 02:00:00:00:00:04 mtu 1300',
  );
  same(
    portChange(BUOY, { hairpin: true, isolated: true }, 'change'),
    'bridge link set dev buoy hairpin on isolated on',
  );
  same(portChange(BUOY, { hairpin: false }, 'change'), 'bridge link set dev buoy hairpin off');
  same(
    requestOf((socket) => removeLink(socket, QUEUE)),
    'ip link del dev queue',
  );
});

t.test('links are created with ip’s bytes, but for the index, which the kernel chooses', async (t) => {
  const same = (ours: GoldenMessage, command: string, changed: object = {}): void => {
    const theirs = golden(command);
    const wanted = { ...linkMessage.get(theirs.data), index: 0, ...changed };
    t.equal(ours.type, theirs.type, command);
    t.equal(ours.flags, theirs.flags, command);
    t.equal(ours.data.toString('hex'), encode(linkMessage, wanted).toString('hex'), command);
  };
  same(
    requestOf((socket) =>
      createBridge(socket, { name: 'quay', mac: '02:00:00:00:00:01', mtu: 1400, alias: 'netmoor web' }),
    ),
    'ip link add name quay address 02:00:00:00:00:01 mtu 1400 index 10 type bridge',
  );
  const peer = { name: 'eth0', mac: '02:00:00:00:00:03', netnsFd: 4 };
  same(
    requestOf((socket) =>
      createVeth(socket, { name: 'buoy', mac: '02:00:00:00:00:02', mtu: 1400, master: QUAY, peer }),
    ),
    'ip link add name buoy address 02:00:00:00:00:02 mtu 1400 index 11 master quay ' +
      'type veth peer name eth0 address 02:00:00:00:00:03 mtu 1400 netns boat',
  );
  same(
    requestOf((socket) => createIfb(socket, 'queue', 1400)),
    'ip link add name queue mtu 1400 index 12 type ifb',
    { flags: IFF_UP, change: IFF_UP },
  );
  const dory = { name: 'dory', mac: '02:00:00:00:00:05', mtu: 1400, master: QUAY, netnsFd: 4 } as const;
  same(
    sent(macvlanCreation({ ...dory, mode: 'bridge', bcQueueLength: 300 })),
    'ip link add link quay name dory address 02:00:00:00:00:05 mtu 1400 netns boat ' +
      'type macvlan mode bridge bcqueuelen 300',
  );
  const skiff = { name: 'skiff', master: QUEUE, mode: 'passthru', flags: MACVLAN_FLAG_NOPROMISC } as const;
  same(
    sent(macvlanCreation(skiff)),
    'ip link add link queue name skiff index 13 type macvlan mode passthru nopromisc',
  );
});

t.test('addresses are added and removed with ip’s bytes', async (t) => {
  const added = (text: string, command: string, dad: boolean | 'optimistic' = false): unknown =>
    t.strictSame(
      hex(sent(addressAddition(QUAY, parsePrefix(text), { dad }, 'add'))),
      hex(golden(command)),
      command,
    );
  added('10.89.0.1/24', 'ip address add 10.89.0.1/24 broadcast 10.89.0.255 dev quay');
  added('10.89.1.2/32', 'ip address add 10.89.1.2/32 dev quay');
  added('fd00:89::1/64', 'ip address add fd00:89::1/64 dev quay nodad');
  added('fd00:89::7/64', 'ip address add fd00:89::7/64 dev quay optimistic', 'optimistic');
  const removal = 'ip address del 10.89.1.2/32 dev quay';
  t.strictSame(
    hex(sent(addressRemoval(QUAY, parsePrefix('10.89.1.2/32'), 'remove'))),
    hex(golden(removal)),
    removal,
  );
});

const ROUTES: Readonly<Record<string, { route: Omit<Route, 'destination'>; destination: string }>> = {
  'ip route append 10.90.0.0/16 via 10.89.0.2 dev quay proto static': {
    destination: '10.90.0.0/16',
    route: { gateway: parseAddress('10.89.0.2') },
  },
  'ip route append default via 10.89.0.2 dev quay proto static metric 77 mtu 1300 advmss 1260': {
    destination: '0.0.0.0/0',
    route: { gateway: parseAddress('10.89.0.2'), priority: 77, mtu: 1300, advmss: 1260 },
  },
  'ip route append 10.91.0.0/16 dev quay proto static table 1000': {
    destination: '10.91.0.0/16',
    route: { table: 1000 },
  },
  'ip -6 route append fd00:90::/64 dev quay proto static metric 5': {
    destination: 'fd00:90::/64',
    route: { priority: 5 },
  },
};

t.test('routes are added with ip’s bytes', async (t) => {
  for (const [command, { destination, route }] of Object.entries(ROUTES)) {
    const ours = routeAddition({ destination: parsePrefix(destination), interface: QUAY, ...route }, 'add');
    t.strictSame(hex(sent(ours)), hex(golden(command)), command);
  }
  const command = 'ip -6 route append default via fd00:89::9 dev quay proto static table 100';
  const destination = parsePrefix('::/0');
  const ours = { destination, gateway: parseAddress('fd00:89::9'), interface: QUAY, table: 100 };
  // ip names the address of a default route where it is IPv6.
  const { attributes, ...rest } = routeMessage.get(sent(routeAddition(ours, 'add')).data);
  const theirs = routeMessage.get(golden(command).data);
  t.strictSame({ ...rest, attributes: { destination: destination.address, ...attributes } }, theirs, command);
});

t.test('routes are looked up as ip does, but for its flag that asks for the matching prefix', async (t) => {
  const ours = requestOf((socket) => lookupRoute(socket, parseAddress('10.90.0.1')));
  const theirs = golden('ip route get 10.90.0.1');
  const { flags, ...wanted } = routeMessage.get(theirs.data);
  t.equal(flags, 0x1000, 'RTM_F_LOOKUP_TABLE');
  t.strictSame(routeMessage.get(ours.data), { ...wanted, flags: 0, length: 32 });
  t.equal(ours.type, theirs.type);
});

t.test('how IPv6 makes addresses is said with ip’s bytes, but for the header of a token’s', async (t) => {
  for (const mode of ['none', 'random'] as const) {
    const command = `ip link set dev quay addrgenmode ${mode}`;
    const ours = inet6Change(QUAY, { addressGeneration: mode }, 'change');
    t.strictSame(hex(sent(ours)), hex(golden(command)), command);
  }
  const { data } = golden('ip token set ::17 dev quay');
  const ours = sent(inet6Change(QUAY, { token: parseAddress('::17') }, 'change'));
  t.strictSame({ ...linkMessage.get(data), family: 0 }, linkMessage.get(ours.data));
  t.match(decodeInet6({ data }), { token: parseAddress('::17') });
  for (const { messages } of goldens) {
    for (const { attributes } of messages
      .filter(({ type }) => type === 16)
      .map((each) => linkMessage.get(each.data))) {
      const told = Buffer.from(attributes.families ?? []);
      t.equal(encode(families, families.get(told)).toString('hex'), told.toString('hex'), 'read whole');
      t.notMatch(inspect(families.get(told), { depth: null }), /unknown:/);
    }
  }
});

t.test('ids of namespaces are asked for and given with ip’s bytes', async (t) => {
  const same = (ours: GoldenMessage, theirs: GoldenMessage | undefined, what: string): unknown =>
    t.strictSame([ours.type, ours.data.toString('hex')], [theirs?.type, theirs?.data.toString('hex')], what);
  const auto = golden('ip netns set raft auto');
  const netnsFd = nsidMessage.get(auto.data).attributes.netnsFd ?? 0;
  t.strictSame(hex(requestOf((socket) => assignNsid(socket, netnsFd))), hex(auto), 'ip netns set');
  // First it asks for single ones.
  const asked = goldens.find(({ command }) => command === 'ip netns list-id')?.messages ?? [];
  const its = nsidMessage.get(asked[0]?.data ?? Buffer.alloc(0)).attributes.netnsFd ?? 0;
  same(
    requestOf((socket) => nsidOf(socket, its)),
    asked[0],
    'one id',
  );
  same(requestOf(listNsids), asked.at(-1), 'all ids');
  const told = answered('ip netns list-id').map(decodeNsid);
  t.strictSame(told.slice(-2), [0, 1], 'those of boat and raft, behind what it asked for first');
});

t.test('unicast addresses of a device are asked for with bridge’s bytes', async (t) => {
  const command = 'bridge fdb show dev quay';
  const ours = requestOf((socket) => listUnicast(socket, QUAY));
  t.strictSame([ours.type, ours.data], [golden(command).type, golden(command).data]);
  const kernel = new FakeKernel(() => [answered(command), [done()]]);
  t.strictSame(listUnicast(kernel.socket(), QUAY), ['02:00:00:00:00:05'], 'that of the macvlan on it');
});

t.test('proxy neighbours are added, removed and listed with ip’s bytes', async (t) => {
  const [six, four] = ['fd00:89::d', '10.89.0.13'].map(parseAddress);
  if (six === undefined || four === undefined) throw new Error('two addresses');
  const same = (ours: NetlinkRequest, command: string): unknown =>
    t.strictSame(hex(sent(ours)), hex(golden(command)), command);
  same(
    proxyAddition({ index: QUAY, address: six, protocol: 109 }, 'answer'),
    'ip neighbour add proxy fd00:89::d dev quay protocol 109',
  );
  same(
    proxyAddition({ index: QUAY, address: four, protocol: 0 }, 'answer'),
    'ip neighbour add proxy 10.89.0.13 dev quay',
  );
  same(proxyRemoval({ index: QUAY, address: four }, 'stop'), 'ip neighbour del proxy 10.89.0.13 dev quay');
  const asked = requestOf(listProxies);
  // ip leaves room behind it (struct nlmsghdr, ndmsg, and 256 bytes).
  const theirs = golden('ip neighbour show proxy');
  t.strictSame([asked.type, asked.data], [theirs.type, theirs.data.subarray(0, asked.data.length)]);
  const kernel = new FakeKernel(() => [answered('ip -6 neighbour show proxy'), [done()]]);
  t.strictSame(listProxies(kernel.socket()), [{ index: QUAY, address: six, protocol: 109 }]);
});

t.test('what the kernel answers is read, and what of it nobody knows is kept', async (t) => {
  for (const { command, messages } of answers) {
    for (const { type, data } of messages) {
      const codec = codecOf(type);
      const message = codec.get(data);
      t.strictSame(codec.get(encode(codec, message)), message, command);
    }
  }
  const [quay] = answered('ip -details link show dev quay');
  const { attributes } = linkMessage.get(quay?.data ?? Buffer.alloc(0));
  t.notHas(attributes, { unknown: [] }, 'but for links');
  const { unknown = [] } = struct({}).get(quay?.data.subarray(16) ?? Buffer.alloc(0));
  const kept = new Map(unknown.map(({ type, data }) => [type & 0x3fff, data]));
  t.equal(kept.get(6)?.toString(), 'noqueue\0', 'IFLA_QDISC');
  t.ok((attributes.info?.data?.length ?? 0) > 100, 'all of IFLA_BR_*');
});

t.test('links as the kernel tells of them', async (t) => {
  const link = (name: string, netns = '') => {
    const { flags, data, type } = answered(`ip ${netns}-details link show dev ${name}`)
      .toReversed()
      .find((message) => decodeLink({ ...message, seq: 0 }).name === name) as GoldenMessage;
    return decodeLink({ type, flags, seq: 0, data });
  };
  t.match(link('quay'), {
    index: QUAY,
    kind: 'bridge',
    mac: '02:00:00:00:00:01',
    alias: 'netmoor web',
    promiscuity: 1,
    master: undefined,
    hairpin: undefined,
    isolated: undefined,
  });
  t.match(link('buoy'), {
    index: BUOY,
    kind: 'veth',
    mac: '02:00:00:00:00:04',
    mtu: 1300,
    master: QUAY,
    hairpin: false,
    isolated: true,
  });
  t.type(link('buoy').peer, 'number');
  t.type(link('buoy').netnsid, 'number');
  t.not(link('buoy').operstate, IF_OPER_UP, 'its other end is down');
  t.match(link('dory', '-n boat '), {
    kind: 'macvlan',
    peer: QUAY,
    mtu: 1300,
    macvlan: { mode: 'bridge', bcQueueLength: 300 },
  });
  t.equal(link('quay').macvlan, undefined);
  const inet6 = (name: string) => {
    const messages = answered(`ip -details link show dev ${name}`);
    return decodeInet6(
      messages.find((each) => decodeLink({ ...each, seq: 0 }).name === name) as GoldenMessage,
    );
  };
  t.match(inet6('quay'), { addressGeneration: 'none', token: parseAddress('::17'), raMtu: undefined });
  t.match(inet6('buoy'), { addressGeneration: 'eui64', token: undefined });
  t.match(link('lo'), { index: 1, kind: undefined, alias: undefined, master: undefined });
});

t.test('addresses and routes as the kernel tells of them', async (t) => {
  const addresses = answered('ip address show dev quay').map(decodeAddress);
  const found = (text: string) => addresses.find(({ prefix }) => formatPrefix(prefix) === text);
  const FOREVER = 0xffffffff;
  t.match(found('10.89.0.1/24'), { index: QUAY, lifetime: { preferred: FOREVER, valid: FOREVER } });
  const { preferred = 0, valid = 0 } = found('fd00:89::2/64')?.lifetime ?? {};
  t.ok(preferred > 1700 && preferred <= 1800, 'what is left of half an hour');
  t.ok(valid > 3500 && valid <= 3600, 'what is left of an hour');
  t.equal((found('fd00:89::1/64')?.flags ?? 0) & IFA_F_NODAD, IFA_F_NODAD);
  t.equal(found('10.89.1.2/32'), undefined);
  const routes = ['ip route show table all', 'ip -6 route show table all'].flatMap((command) =>
    answered(command).map(decodeRoute),
  );
  for (const { destination, route } of Object.values(ROUTES)) {
    const same = routes.find(
      (each) => formatPrefix(each.destination) === destination && each.priority === route.priority,
    );
    t.match(same, { interface: QUAY, table: 254, protocol: RTPROT_STATIC, ...route }, destination);
  }
  const first = routes.find(({ destination }) => formatPrefix(destination) === 'fd00:91::/64');
  t.match(first, { preference: ICMPV6_ROUTER_PREF_HIGH, expires: undefined });
  t.ok(routes.some(({ protocol }) => protocol === RTPROT_KERNEL));
});
