/** A server that gives away what another container of ours has: refused, and the server is told. */
import t from 'tap';
import { MANAGED, SERVING4, SERVING6, skip, withDhcpLan } from '../dhcp/dhcp-lan.ts';
import type { DhcpLan } from '../dhcp/dhcp-lan.ts';
import { kea4, kea6 } from '../dhcp/kea.ts';
import { DhcpServer } from '../dhcp/server.ts';
import { startEngine } from '../kernel/engine-bed.ts';
import { CODES, network as macvlan } from '../kernel/macvlan-bed.ts';
import { Network } from '../kernel/moorings.ts';

t.setTimeout(180_000);

const SHORT = { seconds: 10, t1: 2, t2: 4 };
const FIXED = '192.0.2.130';
const BEFORE = { ...SERVING4, ...SHORT, mtu: 1500, routes: [], last: '192.0.2.110' };
const AFTER = { ...BEFORE, first: FIXED, last: FIXED };
const HOLDER = /fixed\/c0\/eth0/;

async function labelled({ host }: DhcpLan, address: string): Promise<string[]> {
  const links = await host.ip('link');
  return links.map(({ ifalias }) => String(ifalias ?? '')).filter((text) => text.includes(`${address}/`));
}

t.test('bridge-nat: at ADD, and when a lease moves', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const server = await DhcpServer.start(host, lan.router, kea4(AFTER));
    const bridge = await lan.bridge();
    await startEngine(host);
    const common = { bridge, isGateway: false, ipMasq: true };
    const ipam = { ranges: [[{ subnet: '192.0.2.0/24', rangeStart: FIXED, rangeEnd: FIXED }]] };
    await new Network(host, { ...common, name: 'fixed', ipam }).container('c0');
    const network = new Network(host, { ...common, ipam: { type: 'dhcp-ipam' } });
    const place = await host.container('c1');
    const refused = await network.run('ADD', 'c1');
    t.not(refused.code, 0, refused.stdout);
    t.match(refused.json?.msg, HOLDER);
    await server.says('DECLINE');

    await server.replace(kea4(BEFORE));
    await network.add('c1');
    await server.replace(kea4(AFTER));
    await server.says('DECLINE', { deadlineMs: 40_000 });
    const has = await place.must(['ip', '-o', 'address', 'show', 'dev', 'eth0']);
    t.notOk(has.includes(FIXED));
    t.same(await labelled(lan, FIXED), [`netmoor fixed/c0/eth0 ${FIXED}/24`]);
    const rules = (await host.must(['nft', 'list', 'ruleset'])).split('\n');
    t.match(rules.filter((line) => line.includes(FIXED)).join(), HOLDER);
    t.notMatch(rules.filter((line) => line.includes(FIXED)).join(), /c1/);
  });
});

t.test('macvlan-v6', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const fixed = '2001:db8:50::130';
    const place6 = await lan.station('server6', ['2001:db8:50::2/64']);
    const six = await DhcpServer.start(host, place6, kea6({ ...SERVING6, first: fixed, last: fixed }));
    await lan.advertise(MANAGED);
    await startEngine(host);
    const ipam = { ranges: [[{ subnet: '2001:db8:50::/64', rangeStart: fixed, rangeEnd: fixed }]] };
    await macvlan(host, { name: 'fixed', ipam }).container('c0');
    await host.container('c1');
    const refused = await macvlan(host, { addressing: 'dhcp6' }).run('ADD', 'c1');
    t.equal(refused.json?.code, CODES.addressTaken, refused.stdout);
    t.match(refused.json?.msg, HOLDER);
    await six.says('DECLINE');
  });
});
