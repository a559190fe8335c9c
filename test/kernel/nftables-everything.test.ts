/** Everything that a network and an attachment can ask of the tables, as nft reads it, and gone afterwards. */
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import { lacking, withHost } from './harness.ts';
import { attachment, forward, network, none, withNetfilter } from './nftables-bed.ts';

const address = parseAddress;
const span = (first: string, last: string) => ({ first: address(first), last: address(last) });

const everything: AttachmentRules = {
  ...attachment('c1'),
  rules: {
    ...network(0, 'open'),
    apart: true,
    joined: ['nm7'],
    redirectedSource: 'ours',
    egress: ['tun*', 'wg0'],
    proxy: {
      tcp: [
        { address: address('10.89.0.1'), port: 9040 },
        { address: address('fd00:89::1'), port: 9041 },
      ],
      dns: [{ address: address('10.89.0.1'), port: 5353 }],
    },
    hostAccess: {
      protocols: [1],
      services: [
        { protocol: 17, firstPort: 53, lastPort: 53 },
        { protocol: 6, firstPort: 8000, lastPort: 8010 },
      ],
    },
  },
  sources: [
    { address: address('10.89.0.2'), uplinks: ['eth0', 'eth1'] },
    { address: address('10.89.0.3'), to: address('203.0.113.3') },
    { address: address('10.89.0.4'), to: address('203.0.113.4'), uplinks: ['eth0'] },
    { address: address('fd00:89::2'), to: address('2001:db8::2') },
  ],
  oneToOne: [{ public: address('203.0.113.9'), container: address('10.89.0.9') }],
  forwards: [
    { ...forward('udp 5000+100 -> 10.89.0.2 5000') },
    {
      ...forward('tcp 80 -> 10.89.0.2 8080'),
      only: [
        { source: span('192.0.2.0', '192.0.2.255'), ifname: 'eth*' },
        { destination: span('203.0.113.1', '203.0.113.1') },
      ],
    },
    { ...forward('tcp 2001:db8::1 443+2 -> fd00:89::2 443'), only: [{ ifname: 'eth0' }] },
  ],
  macSpoofCheck: { hostIfname: 'nmc1', mac: '02:00:5e:00:53:0a' },
  addressSpoofCheck: [address('10.89.0.2'), address('fd00:89::2')],
  clientPort: 'nmc1',
};

/** Of `nft list set`: each element without its comment. */
function elementsIn(listing: string): string[] {
  const [, inside = ''] = /elements = \{([^}]*)\}/.exec(listing) ?? [];
  return inside
    .split(',')
    .map((each) =>
      each
        .replace(/\s+/g, ' ')
        .replace(/ comment "[^"]*"/, '')
        .trim(),
    )
    .filter((each) => each !== '' && !/^"\."|^255|^ffff|^0xff/.test(each))
    .sort();
}

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'inet masq4_via': ['10.89.0.2 . "eth0"', '10.89.0.2 . "eth1"'],
  'inet snat4': ['10.89.0.3 : 203.0.113.3', '10.89.0.9 : 203.0.113.9'],
  'inet snat4_via': ['10.89.0.4 . "eth0" : 203.0.113.4'],
  'inet snat6': ['fd00:89::2 : 2001:db8::2'],
  'inet one4': ['203.0.113.9 : 10.89.0.9'],
  'inet publish4': ['tcp . 80 : 10.89.0.2 . 8080'],
  'inet publish4_range': ['0.0.0.0-255.255.255.254 . udp . 5000-5099 : 10.89.0.2'],
  'inet publish6_range': ['2001:db8::1 . tcp . 443-444 : fd00:89::2'],
  'inet conditional4': ['0.0.0.0-255.255.255.254 . tcp . 80'],
  'inet conditional6': ['2001:db8::1 . tcp . 443-444'],
  'inet met4': ['203.0.113.1 . tcp . 80 . 0.0.0.0-255.255.255.254'],
  'inet met4_via': ['0.0.0.0-255.255.255.254 . tcp . 80 . 192.0.2.0/24 . "eth*"'],
  'inet met6_via': ['2001:db8::1 . tcp . 443-444 . ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe . "eth0"'],
  'inet apart': ['"nm0"'],
  'inet joined': ['"nm0" . "nm0"', '"nm7" . "nm0"'],
  'inet masq_all': ['"nm0"'],
  'inet egress': ['"nm0"'],
  'inet egress_via': ['"nm0" . "nm0"', '"nm0" . "tun*"', '"nm0" . "wg0"'],
  'inet proxied': ['"nm0"'],
  'inet tcp_proxy4': ['"nm0" : 10.89.0.1 . 9040'],
  'inet tcp_proxy6': ['"nm0" : fd00:89::1 . 9041'],
  'inet dns_proxy4': ['"nm0" : 10.89.0.1 . 5353'],
  'inet host_guarded': ['"nm0"'],
  'inet host_protocols': ['"nm0" . icmp'],
  'inet host_services': ['"nm0" . tcp . 8000-8010', '"nm0" . udp . 53'],
  'bridge containers': ['"nmc1"'],
  'bridge bound': ['"nmc1"'],
  'bridge bound4': ['"nmc1" . 10.89.0.2'],
  'bridge bound6': ['"nmc1" . fd00:89::2'],
  'bridge macs': ['"nmc1" . 02:00:5e:00:53:0a'],
};

t.test('each set holds what was asked for, in the words of nft', { skip: lacking() ?? false }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, everything, none);
      addAttachment(nf, everything, none);
      t.strictSame(checkAttachment(nf, everything), []);
      for (const [name, wanted] of Object.entries(EXPECTED)) {
        const [family, set] = name.split(' ');
        const kind = wanted.some((each) => each.includes(' : ')) ? 'map' : 'set';
        const listing = await host.shell(`nft list ${kind} ${family} netmoor ${set}`);
        t.strictSame(elementsIn(listing), wanted, name);
      }
      removeAttachment(nf, everything, { ofNetwork: true, ofAll: true });
      t.strictSame(await host.nft(), [], 'nothing stays');
    }),
  );
});
