/** A lease that comes back with another address: all that goes by it follows, in the container and on the host. */
import t from 'tap';
import { startEngine } from '../kernel/engine-bed.ts';
import { ask, serve } from '../kernel/harness-traffic.ts';
import { until } from '../kernel/harness.ts';
import type { CniJson, Place } from '../kernel/harness.ts';
import { addresses, network as macvlan, onRecord, state } from '../kernel/macvlan-bed.ts';
import { Network } from '../kernel/moorings.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { MANAGED, SERVING4, SERVING6, skip, withDhcpLan } from './dhcp-lan.ts';
import type { DhcpLan } from './dhcp-lan.ts';
import { kea4, kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(180_000);

const SHORT = { seconds: 10, t1: 2, t2: 4 };
/** No longer than a renewal, a rebinding and an expiry of such a lease, and a new one. */
const SOON = 30_000;
const BEFORE = { ...SERVING4, ...SHORT, mtu: 1500, routes: [] };
/** Another subnet altogether, of which the first server knows nothing. */
const AFTER = {
  ...SHORT,
  subnet: '198.18.0.0/24',
  first: '198.18.0.100',
  last: '198.18.0.149',
  router: '198.18.0.1',
};

async function otherSubnet(lan: DhcpLan, ifname: string): Promise<void> {
  await lan.router.shell('ip address add 198.18.0.1/24 dev eth0');
  await lan.host.shell(`ip address add 198.18.0.2/24 dev ${ifname}`);
}

/** Resolves with the address, without its length, when the container has one that fits and no other. */
async function has(place: Place, family: 4 | 6, pattern: RegExp): Promise<string> {
  const found = async (): Promise<string | undefined> => {
    const [link] = await place.ip(`-${family}`, 'address', 'show', 'dev', 'eth0', 'scope', 'global');
    // Of what it does not show, ip leaves an empty object.
    const all = (link?.addr_info ?? []).flatMap(({ local }) => local ?? []);
    return all.length === 1 && pattern.test(all[0] ?? '') ? all[0] : undefined;
  };
  return until(found, `an address like ${pattern}`, SOON);
}

/** What CHECK is told by a runtime that knows of no change. */
function without(result: CniJson): CniJson {
  return { ...result, ips: [], routes: [] };
}

async function elements(lan: DhcpLan): Promise<string> {
  return lan.host.must(['nft', 'list', 'ruleset']);
}

t.test('bridge-nat: NAT and a published port go by the new address', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const server = await DhcpServer.start(host, lan.router, kea4(BEFORE));
    const bridge = await lan.bridge();
    await otherSubnet(lan, bridge);
    await host.shell(`ip address add 192.0.2.2/24 dev ${bridge}`);
    await startEngine(host);
    const network = new Network(host, {
      ...{ bridge, isGateway: false, ipMasq: true, macspoofchk: true },
      ipam: { type: 'dhcp-ipam' },
    });
    const ports = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
    await network.container('first');
    await network.del('first');
    await host.removeContainer('first');
    const place = await host.container('c1');
    const before = await state(host);
    const result = await network.add('c1', { ports });
    const [old = ''] = addresses(result).map((text) => text.replace('/24', ''));
    t.match(old, /^192\.0\.2\.1[0-4]\d$/);
    const service = await serve(place, 'tcp', 80, { name: 'c1' });
    t.match(await ask(host, 'tcp', '192.0.2.2', 8080), { from: 'c1' });

    await server.replace(kea4(AFTER));
    const now = await has(place, 4, /^198\.18\.0\.1[0-4]\d$/);
    t.same((await place.ip('route', 'show', 'default'))[0]?.gateway, '198.18.0.1');
    t.match(await ask(host, 'tcp', '198.18.0.2', 8080), { from: 'c1' }, 'the port leads to it');
    t.equal((await place.run(['ping', '-c1', '-W2', '198.18.0.1'])).code, 0);
    const text = await elements(lan);
    t.ok(text.includes(now), 'rules name the new address');
    t.notOk(text.includes(`${old} `), 'and not the old one');
    t.match((await asked(host, 'ls')).view, [{ addresses: [{ address: `${now}/24` }] }]);
    const [link] = (await host.ip('link')).filter(({ ifalias }) => String(ifalias).includes('/c1/'));
    t.match(link, { ifalias: new RegExp(`${now}/24$`) });
    t.equal(await network.check('c1', without(result), { ports }), undefined);

    await service.stop();
    await network.del('c1', { ports });
    await server.says('RELEASE');
    t.equal(await onRecord(host), 0);
    t.notOk((await elements(lan)).includes(now));
    t.same(await state(host), before, 'nothing stays');
  });
});

t.test('macvlan-v6: the guard lets the new addresses pass', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const four = await DhcpServer.start(host, lan.router, kea4(BEFORE));
    const place6 = await lan.station('server6', ['2001:db8:50::2/64']);
    const six = await DhcpServer.start(host, place6, kea6({ ...SERVING6, ...SHORT }));
    await otherSubnet(lan, lan.master);
    await host.shell(`ip address add 2001:db8:50::3/64 dev ${lan.master} nodad`);
    await lan.advertise(MANAGED);
    await startEngine(host);
    const network = macvlan(host, { hostAccess: true, ipam: { type: 'dhcp-ipam', ip: 'both' } });
    await network.container('first');
    await network.del('first');
    await host.removeContainer('first');
    const place = await host.container('c1');
    const before = await state(host);
    const result = await network.add('c1');
    t.match(addresses(result), [/^192\.0\.2\./, /^2001:db8:50::1/]);
    const peer = await lan.station('peer', ['2001:db8:50::9/64', '198.18.0.9/24', '192.0.2.9/24']);
    const [old = ''] = addresses(result).map((each) => each.replace(/\/.*/, ''));
    t.equal((await peer.run(['ping', '-c1', '-W2', old])).code, 0);

    await four.replace(kea4(AFTER));
    await six.replace(kea6({ ...SERVING6, ...SHORT, first: '2001:db8:50::a00', last: '2001:db8:50::aff' }));
    const now4 = await has(place, 4, /^198\.18\.0\.1[0-4]\d$/);
    const now6 = await has(place, 6, /^2001:db8:50::a[0-9a-f]{2}$/);
    for (const address of [now4, now6]) {
      await until(
        async () => (await peer.run(['ping', '-c1', '-W1', address])).code === 0,
        `${address} answers`,
      );
      t.equal((await host.run(['ping', '-c1', '-W2', address])).code, 0, `the host reaches ${address}`);
    }
    const text = await elements(lan);
    t.ok(text.includes(now4) && text.includes(now6), 'the guard knows them');
    t.notOk(text.includes(`${old} `));
    const inside = await place.must(['nft', 'list', 'ruleset']);
    t.ok(inside.includes(now4) && inside.includes(now6), 'so does that in the container');
    t.equal(await network.check('c1', without(result)), undefined);

    await network.del('c1');
    await six.says('RELEASE');
    t.equal(await onRecord(host), 0);
    t.same(await state(host), before, 'nothing stays');
  });
});
