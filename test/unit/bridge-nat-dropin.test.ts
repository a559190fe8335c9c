/** Keys of the reference's tuning, sbr, firewall and bridge as bridge-nat reads them, and arguments nobody knows. */
import t from 'tap';
import type { Test } from 'tap';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import { refuseUnknownArgs } from '../../lib/cni/requested.ts';
import type { Files } from '../../lib/cni/world.ts';
import { refuseUnlisted } from '../../plugins/bridge-nat/inside/allowlist.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import type { BridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { planAttachment } from '../../plugins/bridge-nat/plan.ts';
import { naming } from '../naming.ts';
import { environmentOf } from './cni-fakes.ts';

const IPAM = { subnet: '10.1.0.0/16' };

function read(members: object, args = ''): BridgeNatConfig {
  const config = { cniVersion: '1.0.0', name: 'net1', type: 'bridge-nat', ipam: IPAM, ...members };
  const stdin = Buffer.from(JSON.stringify(config));
  const raw = parseConfig(stdin);
  const request = { ...readParameters(environmentOf('ADD', { CNI_ARGS: args })), stdin };
  return readBridgeNatConfig(readConfig(raw, configVersion(raw), 'ADD'), request);
}

const refused = (t: Test, members: object, ...things: string[]): unknown =>
  t.throws(() => read(members), { kind: 'bad-config', message: naming(...things) }, things.join(' '));

t.test('tuning: settings by their path, args over the keys', async (t) => {
  const sysctl = {
    'net.core.somaxconn': '500',
    'net.ipv4.conf.IFNAME.arp_filter': '1',
    'net/ipv4/tcp_ecn': '1',
  };
  t.strictSame(read({ sysctl }).tuning, {
    sysctl: [
      { key: 'net/core/somaxconn', value: '500' },
      { key: 'net/ipv4/conf/IFNAME/arp_filter', value: '1' },
      { key: 'net/ipv4/tcp_ecn', value: '1' },
    ],
  });
  const args = {
    cni: { sysctl: { 'net.core.somaxconn': '9' }, mtu: 1400, promisc: false, txQLen: 0, labels: [] },
  };
  t.strictSame(read({ sysctl, promisc: true, allmulti: false, args }).tuning, {
    sysctl: [
      { key: 'net/core/somaxconn', value: '9' },
      { key: 'net/ipv4/conf/IFNAME/arp_filter', value: '1' },
      { key: 'net/ipv4/tcp_ecn', value: '1' },
    ],
    mtu: 1400,
    allmulti: false,
    txQLen: 0,
  });
  t.equal(read({ promisc: false, sysctl: {} }).tuning, undefined, 'nothing to do');
  for (const key of [
    'kernel.shmmax',
    'vm.swappiness',
    'net',
    'network.x',
    '/proc/sys/net/core/somaxconn',
    '',
  ])
    refused(t, { sysctl: { [key]: '1' } }, JSON.stringify(key));
  refused(t, { sysctl: { 'net.core.somaxconn': '1', 'net/core/somaxconn': '2' } }, 'net/core/somaxconn');
  refused(t, { sysctl: { 'net.core.somaxconn': 1 } }, 'sysctl.net.core.somaxconn');
  refused(t, { args: { cni: { txQLen: 'x' } } }, 'args.cni.txQLen');
});

t.test('tuning: the MAC address of the network counts last', async (t) => {
  const mac = '02:00:00:00:00:0A';
  t.equal(read({ mac }).mac, '02:00:00:00:00:0a');
  t.equal(read({ mac }, 'MAC=02:00:00:00:00:0b').mac, '02:00:00:00:00:0b');
  t.equal(read({ mac, args: { cni: { mac: '02:00:00:00:00:0c' } } }).mac, '02:00:00:00:00:0c');
  refused(t, { mac: 'x' }, 'mac', 'x');
});

t.test('tuning: what an administrator allows', async (t) => {
  const files = (text?: string): Files => ({
    list: () => [],
    read: (file) => {
      t.equal(file, '/etc/cni/tuning/allowlist.conf');
      return text === undefined ? undefined : Buffer.from(text);
    },
    write: () => t.fail('written'),
    remove: () => t.fail('removed'),
  });
  const tuning = (key: string) => read({ sysctl: { [key]: '1' } }).tuning ?? { sysctl: [] };
  const own = 'net.ipv4.conf.IFNAME.arp_filter';
  refuseUnlisted(tuning(own), files());
  refuseUnlisted({ sysctl: [], txQLen: 5 }, { ...files(), read: () => t.fail('read for nothing') as never });
  const list = '^net\\.core\\.[a-z_]*$\n\n  ^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$  \n';
  refuseUnlisted(tuning(own), files(list));
  refuseUnlisted(tuning('net/core/somaxconn'), files(list));
  const not = { kind: 'bad-config', message: naming('net.ipv4.ip_forward') };
  t.throws(() => refuseUnlisted(tuning('net.ipv4.ip_forward'), files(list)), not);
  t.throws(
    () => refuseUnlisted(tuning('net.ipv4.ip_forward'), files('')),
    not,
    'an empty list allows nothing',
  );
  t.throws(() => refuseUnlisted(tuning(own), files('(')), { kind: 'bad-config', message: naming('"("') });
});

t.test('source-based routing', async (t) => {
  const sbr = (value: unknown, more: object = {}) => read({ sbr: value, ...more }).sourceRouting;
  t.equal(sbr(false), undefined);
  t.strictSame(sbr(true), { gateways: [], keepSubnets: false });
  t.strictSame(sbr({ table: 7 }), { table: 7, gateways: [], keepSubnets: false });
  t.strictSame(sbr({ gateways: ['fd00:0::1', '10.1.0.9'], addSourceHints: true }), {
    gateways: ['fd00::1', '10.1.0.9'],
    keepSubnets: true,
  });
  t.strictSame(sbr(true, { ipam: { type: 'host-local', ...IPAM } }), { gateways: [], keepSubnets: false });
  refused(t, { sbr: true, ipam: {} }, 'sbr');
  refused(t, { sbr: true, ipam: { type: 'dhcp-ipam' } }, 'sbr', 'dhcp-ipam');
  refused(t, { sbr: { table: 0 } }, 'sbr.table');
  refused(t, { sbr: { table: 5, addSourceHints: true } }, 'sbr', 'addSourceHints');
  refused(t, { sbr: { gateways: ['10.1.0.1', '10.1.0.2'] } }, 'sbr.gateways');
  refused(t, { sbr: { gateways: ['x'] } }, 'sbr.gateways', '"x"');
  t.throws(() => sbr({ tabel: 5 }), { kind: 'unsupported-field', message: naming('sbr.tabel') });
});

t.test('VLANs', async (t) => {
  const vlans = (members: object) => read(members).vlans;
  t.equal(vlans({ vlan: 0, vlanTrunk: [], preserveDefaultVlan: true }), undefined);
  t.strictSame(vlans({ vlan: 7 }), { native: 7, trunk: [], keepDefault: false });
  const vlanTrunk = [{ id: 5 }, { minID: 10, maxID: 20 }, { id: 30, minID: 40, maxID: 40 }];
  const trunk = [
    { first: 5, last: 5 },
    { first: 10, last: 20 },
    { first: 40, last: 40 },
    { first: 30, last: 30 },
  ];
  const keepDefault = true;
  t.strictSame(
    vlans({ vlanTrunk, preserveDefaultVlan: true }),
    { native: 1, trunk, keepDefault },
    'as the reference',
  );
  refused(t, { vlanTrunk: [{ minID: 5 }] }, 'minID', 'maxID');
  refused(t, { vlanTrunk: [{ minID: 5, maxID: 4 }] }, 'minID 5', 'maxID 4');
  refused(t, { vlan: 7, dhcpServer: true }, 'dhcpServer');
});

t.test('what has no effect is told, but for what asks for what is done anyway', async (t) => {
  const keys = {
    backend: 'firewalld',
    firewalldZone: 'x',
    iptablesAdminChainName: 'X',
    ipMasqBackend: 'iptables',
  };
  const { notes } = read(keys);
  t.equal(notes.length, 4);
  for (const key of Object.keys(keys))
    t.ok(
      notes.some((note) => note.startsWith(`"${key}" has no effect`)),
      key,
    );
  t.strictSame(
    read({ backend: '', ipMasqBackend: 'nftables', addIf: 1, comment: 1, Documentation: 1 }).notes,
    [],
  );
  refused(t, { backend: 'pf' }, 'backend', '"pf"');
});

t.test('a set’s subnets are the bridge’s, all of them', async (t) => {
  const set = [{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/16', gateway: '10.2.0.9' }];
  const leased = { addresses: [{ address: '10.1.0.2/24', gateway: '10.1.0.1' }], routes: undefined, dns: {} };
  const detailOf = (members: object) => planAttachment(read(members), leased).detail;
  t.match(detailOf({ ipam: { ranges: [set] } }), {
    gateways: ['10.1.0.1/24', '10.2.0.9/16'],
    subnets: ['10.1.0.0/24', '10.2.0.0/16'],
  });
  t.strictSame(detailOf({ ipam: { ranges: [set] }, isGateway: false }).gateways, []);
  const ranges = set.map((range) => [range]);
  t.strictSame(
    detailOf({ ipam: { ranges } }).gateways,
    ['10.1.0.1/24'],
    'of sets by themselves, those of addresses',
  );
});

t.test('arguments that nobody knows', async (t) => {
  const refuse = (args: string) =>
    refuseUnknownArgs(readParameters(environmentOf('ADD', { CNI_ARGS: args })));
  const known = 'IP=10.0.0.1;MAC=02:00:00:00:00:01;GATEWAY=10.0.0.9;K8S_POD_NAME=web;K8S_POD_UID=1';
  for (const args of ['', known, 'IgnoreUnknown=0', 'IgnoreUnknown=1;X=1', 'X=1;IgnoreUnknown=TRUE'])
    refuse(args);
  for (const args of ['X=1', 'IgnoreUnknown=false;X=1', 'ip=10.0.0.1;IgnoreUnknown=0'])
    t.throws(() => refuse(args), { kind: 'bad-environment', message: naming('CNI_ARGS') }, args);
  t.throws(() => refuse('IgnoreUnknown=yes'), {
    kind: 'bad-environment',
    message: naming('IgnoreUnknown', 'yes'),
  });
});
