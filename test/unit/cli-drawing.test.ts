/** Tables, drawings and the shapes of things in them: goldens, and widths that hold for names of any script. */
import t from 'tap';
import { containerLabel, formatAge, formatPorts } from '../../cli/attachment-view.ts';
import type { AttachmentView } from '../../cli/attachment-view.ts';
import { nodesOf } from '../../cli/drawing/nodes.ts';
import { draw } from '../../cli/drawing/tree.ts';
import type { Node } from '../../cli/drawing/tree.ts';
import { formatTable } from '../../cli/table.ts';
import { printable, widthOf } from '../../cli/text-width.ts';
import { buildTopology, narrow } from '../../cli/drawing/topology.ts';
import type { HostFacts } from '../../cli/drawing/topology.ts';
import { capacity, formatTotal, usageOf } from '../../cli/usage.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import type { InterfaceAddress } from '../../lib/netlink/address.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { NetworkRecord } from '../../ipam/record.ts';
import { recordOf } from './cli-fakes.ts';
import { naming } from '../naming.ts';

function lines(text: string): string {
  return text.slice(1);
}

t.test('tables', async (t) => {
  t.equal(formatTable(['NAME', 'WHAT'], []), 'NAME  WHAT\n', 'without rows the headings alone');
  t.equal(
    formatTable(
      ['NAME', 'ADDRESSES', 'N'],
      [
        ['a', ['10.0.0.2/24', 'fd00::2/64'], '1'],
        ['港湾', [], ''],
        ['é\u0301x', '::1', '2'],
      ],
    ),
    lines(`
NAME  ADDRESSES    N
a     10.0.0.2/24  1
      fd00::2/64
港湾
é\u0301x    ::1          2
`),
  );
  t.equal(
    formatTable(['NAME'], [['x\u001b[31m\n']]),
    'NAME\nx?[31m?\n',
    'nothing in a cell steers the terminal',
  );
});

t.test('widths', async (t) => {
  for (const [text, width] of [
    ['eth0', 4],
    ['港湾', 4],
    ['e\u0301', 1],
    ['🚢', 2],
    ['ﾃ', 1],
    ['テ', 2],
    ['', 0],
  ] as const) {
    t.equal(widthOf(text), width, JSON.stringify(text));
  }
  t.equal(printable('a\u202eb\u009bc'), 'a?b?c');
});

const tree: Node = {
  title: 'host moor',
  facts: ['uplink eth0  203.0.113.2/24'],
  remarks: [],
  children: [
    {
      title: 'bridge nm-web',
      facts: ['10.1.0.1/24', 'fd00::1/64'],
      remarks: [],
      children: [
        {
          title: 'c1 eth0',
          facts: ['10.1.0.2/24', 'fd00:0:0:1:2:3:4:2/64', 'fd00:0:0:2:2:3:4:2/64'],
          remarks: ['*:80 -> 80/tcp'],
          children: [{ title: 'inner', facts: [], remarks: [], children: [] }],
        },
        { title: '港 eth0', facts: [], remarks: ['stale: gone'], children: [] },
      ],
    },
    { title: 'network lan', facts: ['10.9.0.0/24'], remarks: [], children: [] },
  ],
};

t.test('a drawing', async (t) => {
  t.equal(
    draw(tree, { ascii: false, columns: 60 }),
    lines(`
┌ host moor ──────────────────┐
│ uplink eth0  203.0.113.2/24 │
└┬────────────────────────────┘
 ├─ bridge nm-web  10.1.0.1/24, fd00::1/64
 │  ├─ c1 eth0  10.1.0.2/24, fd00:0:0:1:2:3:4:2/64,
 │  │  │        fd00:0:0:2:2:3:4:2/64
 │  │  │  *:80 -> 80/tcp
 │  │  └─ inner
 │  └─ 港 eth0
 │        stale: gone
 └─ network lan  10.9.0.0/24
`),
  );
  t.equal(
    draw(tree, { ascii: true, columns: 1000 }),
    lines(`
+ host moor ------------------+
| uplink eth0  203.0.113.2/24 |
++----------------------------+
 |- bridge nm-web  10.1.0.1/24, fd00::1/64
 |  |- c1 eth0  10.1.0.2/24, fd00:0:0:1:2:3:4:2/64, fd00:0:0:2:2:3:4:2/64
 |  |  |  *:80 -> 80/tcp
 |  |  \`- inner
 |  \`- 港 eth0
 |        stale: gone
 \`- network lan  10.9.0.0/24
`),
  );
  for (const title of ['host 港湾', 'host 🚢', 'host with a name that is longer than what is in the box']) {
    const drawn = draw({ title, facts: ['x'], remarks: [], children: [] }, { ascii: false, columns: 40 });
    const widths = new Set(drawn.trimEnd().split('\n').map(widthOf));
    t.equal(widths.size, 1, `the box of ${title} is straight`);
  }
});

function link(index: number, name: string, kind?: string): Link {
  return {
    index,
    name,
    kind,
    flags: 1,
    mac: undefined,
    mtu: 1500,
    operstate: 6,
    master: undefined,
    peer: undefined,
    netnsid: undefined,
    alias: undefined,
    promiscuity: 0,
    hairpin: undefined,
    isolated: undefined,
  } as Link;
}

function address(index: number, prefix: string, scope = 0): InterfaceAddress {
  return { index, prefix: parsePrefix(prefix), flags: 0, scope, protocol: 0 };
}

const uplink = link(2, 'eth0');
const facts: HostFacts = {
  name: 'moor',
  uplink,
  links: [uplink, link(3, 'nm-web', 'bridge')],
  addresses: [address(2, '203.0.113.2/24'), address(2, 'fe80::1/64', 253), address(3, '10.1.0.1/24')],
  ofMasters: new Set(['macvlan-v6']),
};

function network(name: string, segment?: string, plugin = 'bridge-nat'): NetworkRecord {
  const subnets = ['10.1.0.0/24'];
  return {
    version: RECORD_VERSION,
    name,
    plugin,
    subnets,
    automatic: name === 'web',
    createdAt: 0,
    ...(segment ? { segment } : {}),
  };
}

function view(changes: Partial<AttachmentView>): AttachmentView {
  return {
    network: 'web',
    containerId: 'c1',
    ifname: 'eth0',
    plugin: 'bridge-nat',
    state: 'attached',
    addresses: [{ address: '10.1.0.2/24' }],
    ports: [],
    createdAt: new Date(0).toISOString(),
    ...changes,
  };
}

t.test('the topology', async (t) => {
  const networks = [network('lan'), network('web', 'nm-web'), network('x', 'gone')];
  const attachments = [
    view({ name: 'front', ports: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80, count: 1 }] }),
    view({ network: 'lan', containerId: 'a'.repeat(64), addresses: [] }),
    view({ network: 'x', containerId: 'old', stale: 'its interface is gone' }),
  ];
  const topology = buildTopology(facts, networks, attachments);
  t.equal(
    draw(nodesOf(topology), { ascii: false, columns: 80 }),
    lines(`
┌ host moor ──────────────────┐
│ uplink eth0  203.0.113.2/24 │
└┬────────────────────────────┘
 ├─ bridge nm-web  10.1.0.1/24
 │  └─ network web  10.1.0.0/24, picked by netmoor
 │     └─ front eth0  10.1.0.2/24
 │           0.0.0.0:8080 -> 80/tcp
 ├─ bridge gone  not there
 │  └─ network x  10.1.0.0/24
 │     └─ old eth0  10.1.0.2/24
 │           stale: its interface is gone
 └─ network lan  10.1.0.0/24
    └─ aaaaaaaaaaaa eth0
`),
  );
  const masters = [network('lan', 'eth0', 'macvlan-v6'), network('vps', 'eth1@vps', 'macvlan-v6')];
  t.equal(
    draw(nodesOf(buildTopology(facts, masters, [])), { ascii: false, columns: 80 }),
    lines(`
┌ host moor ──────────────────┐
│ uplink eth0  203.0.113.2/24 │
└┬────────────────────────────┘
 ├─ master eth0  203.0.113.2/24
 │  └─ network lan  10.1.0.0/24, nobody attached
 └─ master eth1@vps  in the container
    └─ network vps  10.1.0.0/24, nobody attached
`),
  );
  t.match(
    draw(nodesOf(buildTopology({ ...facts, uplink: undefined }, [], [])), { ascii: false, columns: 80 }),
    /no uplink/,
  );

  const names = ({ networks: n, attachments: a }: ReturnType<typeof narrow>): string[] => [
    ...n.map((each) => each.name),
    ...a.map(containerLabel),
  ];
  t.same(names(narrow(networks, attachments, 'x')), ['x', 'front', 'aaaaaaaaaaaa', 'old'], 'a network');
  t.same(names(narrow(networks, attachments, 'front')), ['web', 'front'], 'a container by its name');
  t.same(
    names(narrow(networks, attachments, 'aaaaa')),
    ['lan', 'aaaaaaaaaaaa'],
    'by the beginning of its id',
  );
  t.throws(() => narrow(networks, attachments, 'fornt'), {
    kind: 'unknown-container',
    message: naming('fornt'),
    details: naming('front'),
  });
  t.throws(
    () => narrow(networks, attachments, 'aaa'),
    {
      kind: 'unknown-container',
      message: naming('aaa'),
    },
    'too short to be meant',
  );
});

t.test('ports, ages, sizes', async (t) => {
  const tcp = { protocol: 'tcp', hostPort: 8000, containerPort: 80, count: 1 } as const;
  const v4 = { address: '10.1.0.2/24' };
  const v6 = { address: 'fd00::2/64' };
  const format = (
    addresses: AttachmentView['addresses'],
    ports: AttachmentView['ports'],
  ): string | undefined => formatPorts({ addresses, ports })[0];
  t.equal(format([v4], [tcp]), '0.0.0.0:8000 -> 80/tcp');
  t.equal(format([v6], [tcp]), '[::]:8000 -> 80/tcp');
  t.equal(format([v4, v6], [tcp]), '*:8000 -> 80/tcp');
  t.equal(format([v4], [{ ...tcp, hostIp: '127.0.0.1', count: 10 }]), '127.0.0.1:8000-8009 -> 80-89/tcp');
  t.equal(format([v6], [{ ...tcp, hostIp: '::1' }]), '[::1]:8000 -> 80/tcp');
  t.same([-5, 0, 59_999, 60_000, 3_599_000, 3_600_000, 90_000_000].map(formatAge), [
    '0s',
    '0s',
    '59s',
    '1m',
    '59m',
    '1h',
    '1d',
  ]);
  t.same(
    ['10.0.0.0/24', '10.0.0.0/31', '10.0.0.0/8', 'fd00::/64', 'fd00::/127'].map((text) =>
      capacity(parsePrefix(text)),
    ),
    [253n, 1n, 16_777_213n, 2n ** 64n - 2n, 1n],
  );
  t.equal(formatTotal('253'), '253');
  t.equal(formatTotal(String(2n ** 64n - 2n)), '2^64');
  const records = [recordOf(), recordOf({ containerId: 'c2', network: 'other' })];
  t.same(usageOf([network('web'), { ...network('empty'), subnets: [] }], records), [
    { network: 'web', subnet: '10.1.0.0/24', taken: '1', total: '253' },
  ]);
});
