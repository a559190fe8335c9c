/** What clients in use say, as the server understands it, and what it says to them. */
import t from 'tap';
import { decodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { destinationOf, messageOf, queryOf } from '../../ipam/dhcp/server/messages.ts';
import type { Settings } from '../../ipam/dhcp/server/messages.ts';
import type { Query } from '../../ipam/dhcp/server/query.ts';
import { decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import { optionKind } from '../../ipam/dhcp/v4/options/table.ts';
import { captures4 } from '../golden/dhcp-captures.ts';

const SETTINGS: Settings = {
  address: '10.77.0.1/24',
  router: '10.77.0.1',
  routes: [
    { dst: '0.0.0.0/0', gw: '10.77.0.1' },
    { dst: '10.88.0.0/16', gw: '10.77.0.9' },
    { dst: '10.99.0.0/16' },
  ],
  dns: { nameservers: ['10.77.0.53', 'fd00::53'], domain: 'lab.example', search: ['lab.example'] },
  mtu: 1400,
};
const QUERY: Query = {
  is: 'request',
  xid: 7,
  mac: '02:00:00:00:00:01',
  broadcast: false,
  rapid: false,
  relayed: false,
};
const ACK = {
  is: 'ack',
  address: '10.77.0.50',
  granted: { seconds: 3600, renewAfter: 1800, rebindAfter: 3150 },
} as const;

/** The options of an answer by name, as a client reads them. */
function options(query: Query, answer: Parameters<typeof messageOf>[1] = ACK): Record<string, unknown> {
  const bytes = encodeMessage(messageOf(query, answer, SETTINGS), query.limit);
  const told = [...decodeMessage(bytes).options];
  return Object.fromEntries(
    told.map(([code, value]) => [optionKind(code).name, optionKind(code).codec.decode(value)]),
  );
}

t.test('every question of real clients is understood, nothing of servers is taken for one', async (t) => {
  for (const { name, type, frame } of captures4()) {
    const query = queryOf(decodeMessage(decodeFrame(frame).payload));
    if (['offer', 'ack', 'nak'].includes(type)) t.equal(query, undefined, name);
    else t.match(query, { is: type, mac: /^02:00:5e:/ }, name);
  }
});

t.test('a client that names nothing is told all', async (t) => {
  t.same(options({ ...QUERY, clientId: 'ff0102' }), {
    'dhcp-server-identifier': '10.77.0.1',
    'dhcp-lease-time': 3600,
    'dhcp-renewal-time': 1800,
    'dhcp-rebinding-time': 3150,
    'dhcp-client-identifier': 'ff0102',
    'subnet-mask': '255.255.255.0',
    'classless-static-routes': SETTINGS.routes,
    routers: ['10.77.0.1'],
    'domain-name-servers': ['10.77.0.53'],
    'domain-name': 'lab.example',
    'domain-search': ['lab.example'],
    'interface-mtu': 1400,
    'broadcast-address': '10.77.0.255',
  });
});

t.test('one that does is told that, and what it needs', async (t) => {
  t.strictSame(Object.keys(options({ ...QUERY, wants: [3, 26, 200] })), [
    'dhcp-server-identifier',
    'dhcp-lease-time',
    'dhcp-renewal-time',
    'dhcp-rebinding-time',
    'subnet-mask',
    'routers',
    'interface-mtu',
  ]);
  t.same(options(QUERY, { is: 'nak', text: 'wrong network' }), {
    'dhcp-server-identifier': '10.77.0.1',
    'dhcp-message': 'wrong network',
  });
  const inform = options({ ...QUERY, is: 'inform', ciaddr: '10.77.0.9', wants: [6] }, { is: 'ack' });
  t.notOk('dhcp-lease-time' in inform, 'who has no lease hears nothing of its time');
});

t.test('where answers go', async (t) => {
  const mac = QUERY.mac;
  t.same(destinationOf(QUERY, ACK), { address: '10.77.0.50', mac });
  t.same(destinationOf({ ...QUERY, broadcast: true }, ACK), { address: '255.255.255.255' });
  t.same(destinationOf({ ...QUERY, ciaddr: '10.77.0.50', broadcast: true }, ACK), {
    address: '10.77.0.50',
    mac,
  });
  t.same(destinationOf({ ...QUERY, ciaddr: '10.77.0.50' }, { is: 'nak' }), { address: '255.255.255.255' });
});

t.test('an answer is no longer than the client takes', async (t) => {
  const search = Array.from(
    { length: 12 },
    (_, index) => `a-rather-long-label-${index}.and-another-one.example`,
  );
  const settings = { ...SETTINGS, dns: { ...SETTINGS.dns, search } };
  const query = { ...QUERY, limit: 576 - 28 };
  const bytes = encodeMessage(messageOf(query, ACK, settings), query.limit);
  t.ok(bytes.length <= 548);
  t.equal(decodeMessage(bytes).options.has(119), true, 'what has no room goes where there is some');
});
