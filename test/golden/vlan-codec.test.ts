/** VLANs of bridges, and attributes of interfaces, against the bytes ip and bridge send (test/golden/vlan.hex). */
import t from 'tap';
import { DecodeError } from '../../lib/netlink/attributes.ts';
import {
  bridgeSpec,
  filtersVlans,
  listVlans,
  vlanAddition,
  vlanFiltering,
  vlanRemoval,
} from '../../lib/netlink/bridge-vlan.ts';
import { encode } from '../../lib/netlink/codec.ts';
import { linkChange } from '../../lib/netlink/link-change.ts';
import { encodeLink } from '../../lib/netlink/link-codec.ts';
import { createBridge } from '../../lib/netlink/link-creation.ts';
import type { NetlinkRequest } from '../../lib/netlink/socket.ts';
import { FakeKernel, answer, done } from '../unit/netlink-fake-kernel.ts';
import { readGoldens } from './golden.ts';

const [QUAY, BUOY] = [10, 11];
const RTM_NEWLINK = 16;
const goldens = readGoldens('vlan.hex');

t.test('VLANs are asked for with the bytes of ip and bridge', async (t) => {
  const one = (vid: number, more: object = {}) => ({ first: vid, last: vid, ...more });
  const native = { pvid: true, untagged: true };
  const ours: Readonly<Record<string, NetlinkRequest>> = {
    'ip link set dev quay type bridge vlan_filtering 1': vlanFiltering(QUAY, 'filter'),
    'bridge vlan add dev buoy vid 5 pvid untagged': vlanAddition(BUOY, one(5, native), 'add'),
    'bridge vlan add dev buoy vid 7': vlanAddition(BUOY, one(7), 'add'),
    'bridge vlan add dev buoy vid 100-200': vlanAddition(BUOY, { first: 100, last: 200 }, 'add'),
    'bridge vlan add dev quay vid 5 pvid untagged self': vlanAddition(QUAY, one(5, native), 'add', true),
    'bridge vlan del dev buoy vid 1': vlanRemoval(BUOY, one(1), 'remove'),
    'ip link set dev buoy allmulticast on': linkChange(BUOY, { allMulticast: true }, 'change'),
    'ip link set dev buoy allmulticast off': linkChange(BUOY, { allMulticast: false }, 'change'),
    'ip link set dev buoy txqueuelen 500': linkChange(BUOY, { txQueueLength: 500 }, 'change'),
  };
  for (const [command, { type, data }] of Object.entries(ours)) {
    const theirs = goldens.find((each) => each.command === command)?.messages[0];
    t.strictSame(
      [type, Buffer.from(data as Uint8Array).toString('hex')],
      [theirs?.type, theirs?.data.toString('hex')],
      command,
    );
  }
});

t.test('a bridge that tells VLANs apart is made so, and told as such', async (t) => {
  const data = (vlan: number) => Buffer.from([5, 0, 7, 0, vlan, 0, 0, 0]);
  const told = (vlan: number) =>
    encodeLink({ name: 'quay', info: { kind: 'bridge', data: data(vlan) } }, { index: QUAY });
  const kernel = new FakeKernel(({ type }) =>
    type === 18 ? [[{ type: RTM_NEWLINK, data: told(1) }], [answer()]] : [[answer()]],
  );
  const bridge = { name: 'quay', mac: '02:00:00:00:00:01', alias: 'netmoor', vlanFiltering: true };
  t.match(createBridge(kernel.socket(), bridge), { index: QUAY, kind: 'bridge' });
  t.ok(kernel.requests[0]?.data.includes(data(1)), 'in the request that makes it');
  for (const vlan of [0, 1]) {
    const asked = new FakeKernel(() => [[{ type: RTM_NEWLINK, data: told(vlan) }], [answer()]]);
    t.equal(filtersVlans(asked.socket(), QUAY), vlan === 1);
  }
});

t.test('memberships are listed with bridge’s question, ranges and all', async (t) => {
  const spec = encode(bridgeSpec, {
    vlans: [
      { flags: 0x6, vid: 5 },
      { flags: 0x8, vid: 100 },
      { flags: 0x10, vid: 200 },
      { flags: 0, vid: 300 },
    ],
  });
  const data = encodeLink({ families: Buffer.from(spec) }, { family: 7, index: BUOY });
  const kernel = new FakeKernel(() => [[{ type: RTM_NEWLINK, data }], [done()]]);
  t.strictSame(listVlans(kernel.socket()).get(BUOY), [
    { first: 5, last: 5, pvid: true, untagged: true },
    { first: 100, last: 200, pvid: false, untagged: false },
    { first: 300, last: 300, pvid: false, untagged: false },
  ]);
  const asked = goldens.find(({ command }) => command === 'bridge vlan show')?.messages.at(-1);
  t.equal(kernel.requests[0]?.data.toString('hex'), asked?.data.toString('hex'));
  const short = Buffer.from([6, 0, 2, 0, 1, 0, 0, 0]);
  t.throws(() => bridgeSpec.get(short), { name: DecodeError.name });
});
