/** macvlan-v6 whose addresses DHCPv6 servers give: by itself, beside other sources, and as routers say. */
import t from 'tap';
import { startEngine } from '../kernel/engine-bed.ts';
import type { Background } from '../kernel/harness-process.ts';
import { until } from '../kernel/harness.ts';
import type { CniJson } from '../kernel/harness.ts';
import { addresses, inet6, network, onRecord, refused, state } from '../kernel/macvlan-bed.ts';
import type { Reporter } from '../kernel/harness.ts';
import { MANAGED, SERVING4, SERVING6, STATELESS, skip, withDhcpLan } from './dhcp-lan.ts';
import type { DhcpLan } from './dhcp-lan.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4, kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';
import type { ServerKind } from './server.ts';

t.setTimeout(180_000);

const LEASED = /^2001:db8:50::1[0-9a-f]{2}\/128$/;
const AUTOMATIC = /^2001:db8:50:0?:.*\/64$/;
const FOUR = /^192\.0\.2\.1[0-4]\d\/24$/;
const BOTH = 'AdvManagedFlag on; prefix 2001:db8:50::/64 { AdvAutonomous on; };';
const NEITHER = 'prefix 2001:db8:50::/64 { AdvAutonomous on; };';

interface Bed {
  readonly lan: DhcpLan;
  readonly server: DhcpServer;
  readonly engine: Background;
}

async function withServer(
  t: Reporter,
  kind: ServerKind,
  advertised: string | undefined,
  body: (bed: Bed) => Promise<void>,
): Promise<void> {
  await withDhcpLan(t, async (lan) => {
    const server = await DhcpServer.start(lan.host, lan.router, kind);
    if (advertised !== undefined) await lan.advertise(advertised);
    const engine = await startEngine(lan.host);
    await body({ lan, server, engine });
  });
}

function ways(result: CniJson): unknown[] {
  return (result.routes ?? []).map(({ dst, gw }) => `${dst} ${gw}`);
}

for (const dad of ['optimistic', 'strict', 'off']) {
  t.test(`dhcp6, ${dad}`, { skip }, async (t) => {
    await withServer(t, kea6(SERVING6), MANAGED, async ({ lan, server }) => {
      const wanted = network(lan.host, { dad, addressing: 'dhcp6' });
      t.equal((await wanted.whole('STATUS')).code, 0);
      await wanted.container('first');
      await wanted.del('first');
      await lan.host.removeContainer('first');
      const place = await lan.host.container('c1');
      const before = await state(lan.host);
      const result = await wanted.add('c1');
      const [leased = '', ...others] = addresses(result);
      t.match(leased, LEASED);
      t.same(others, [], 'routers are not believed in addresses');
      t.same(ways(result), ['::/0 fe80::1']);
      t.same(result.dns, { nameservers: SERVING6.dns, search: SERVING6.search });
      const address = leased.replace('/128', '');
      t.match(
        server.leases().find(({ state: is }) => is === 'active'),
        { address, type: 'na' },
      );
      t.match(await inet6(place, 'global'), [{ local: address }]);
      await until(async () => place.run(['ping', '-c1', '-W1', '2001:db8:50::1']), 'the router answers');
      const peer = await lan.station('peer', ['2001:db8:50::9/64']);
      t.equal((await peer.run(['ping', '-c1', '-W2', address])).code, 0, 'a station reaches it');
      t.equal(await wanted.check('c1', result), undefined);
      await wanted.del('c1');
      await server.says('RELEASE', { count: 2 });
      t.equal(await onRecord(lan.host), 0);
      t.same(await state(lan.host), before, 'nothing stays');
    });
  });
}

t.test('beside other sources', { skip }, async (t) => {
  const pool = { ranges: [[{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.200', rangeEnd: '192.0.2.210' }]] };
  const sources: Readonly<Record<string, readonly [object, readonly RegExp[]]>> = {
    'a pool of IPv4': [{ addressing: 'dhcp6', ipam: pool }, [/^192\.0\.2\.200\/24$/, LEASED]],
    slaac: [{ addressing: ['slaac', 'dhcp6'] }, [LEASED, AUTOMATIC]],
    static: [{ addressing: ['static', 'dhcp6'], addresses: ['fd00:9::5/64'] }, [/^fd00:9::5\/64$/, LEASED]],
    'stable-privacy': [
      { addressing: ['slaac', 'dhcp6'], interfaceIdentifier: 'stable-privacy' },
      [LEASED, AUTOMATIC],
    ],
    hostAccess: [{ addressing: 'dhcp6', hostAccess: true, macspoofchk: 'strict' }, [LEASED]],
  };
  await withServer(t, kea6(SERVING6), BOTH, async ({ lan, server }) => {
    const peer = await lan.station('peer', ['2001:db8:50::9/64']);
    let given = 0;
    for (const [what, [config, wanted]] of Object.entries(sources)) {
      const one = network(lan.host, { name: `n${given}`, ...config });
      const { result } = await one.container(`c${given}`);
      t.match(addresses(result), wanted, what);
      t.equal(addresses(result).length, wanted.length, what);
      for (const address of addresses(result).filter((text) => text.startsWith('2001:')))
        t.equal((await peer.run(['ping', '-c1', '-W2', address.replace(/\/.*/, '')])).code, 0, what);
      t.equal(await one.check(`c${given}`, result), undefined, what);
      await one.del(`c${given}`);
      await server.says('RELEASE', { count: ++given });
    }
    t.equal(await onRecord(lan.host), 0);
  });
});

t.test('with dhcp-ipam both families are one lease', { skip }, async (t) => {
  await withServer(t, dnsmasq(SERVING4, SERVING6), MANAGED, async ({ lan, server }) => {
    for (const [name, config] of Object.entries({
      merged: { addressing: 'dhcp6', ipam: { type: 'dhcp-ipam', ip: 4 } },
      implied: { ipam: { type: 'dhcp-ipam', ip: 'both' } },
      told: { addressing: 'auto', ipam: { type: 'dhcp-ipam' } },
    })) {
      const one = network(lan.host, { name, ...config });
      const { result, place } = await one.container(name);
      t.match(addresses(result), [FOUR, LEASED], name);
      t.ok(ways(result).includes('0.0.0.0/0 192.0.2.1') && ways(result).includes('::/0 fe80::1'), name);
      t.equal((await place.run(['ping', '-c1', '-W2', '192.0.2.1'])).code, 0, name);
      t.equal(await one.check(name, result), undefined, name);
      await one.del(name);
    }
    t.same(server.leases(), []);
    t.equal(await onRecord(lan.host), 0);
  });
});

t.test('auto: as routers say', { skip }, async (t) => {
  const told: Readonly<Record<string, readonly [string, readonly RegExp[], readonly string[]]>> = {
    'M, and no prefix for autoconfiguration': [
      MANAGED,
      [LEASED],
      ['SOLICIT', 'ADVERTISE', 'REQUEST', 'REPLY'],
    ],
    'M, and a prefix for it': [BOTH, [LEASED, AUTOMATIC], ['SOLICIT', 'ADVERTISE', 'REQUEST', 'REPLY']],
    O: [STATELESS, [AUTOMATIC], ['INFORMATION-REQUEST']],
    neither: [NEITHER, [AUTOMATIC], []],
  };
  for (const [what, [advertised, wanted, messages]] of Object.entries(told)) {
    await t.test(what, async (t) => {
      await withServer(t, kea6(SERVING6), advertised, async ({ lan, server }) => {
        const one = network(lan.host, { addressing: 'auto' });
        const { result } = await one.container('c1');
        t.match(addresses(result), wanted);
        t.equal(addresses(result).length, wanted.length);
        t.same(server.messages().slice(0, messages.length), messages);
        if (messages.length === 0) t.same(server.messages(), []);
        else t.same(result.dns, { nameservers: SERVING6.dns, search: SERVING6.search });
        t.same(ways(result), ['::/0 fe80::1']);
        t.equal(await one.check('c1', result), undefined);
        await one.del('c1');
        t.equal(await onRecord(lan.host), 0);
      });
    });
  }
});

t.test('auto goes on where nobody has names to tell', { skip }, async (t) => {
  await withServer(t, kea4(SERVING4), STATELESS, async ({ lan }) => {
    const { result } = await network(lan.host, { addressing: 'auto' }).container('c1');
    t.match(addresses(result), [AUTOMATIC]);
  });
});

t.test('nobody answers', { skip }, async (t) => {
  await withServer(t, kea4(SERVING4), MANAGED, async ({ lan }) => {
    const one = network(lan.host, { addressing: 'auto', timeout: 2 });
    const place = await lan.host.container('c1');
    t.match(await refused(one, 'c1'), { code: 50, msg: /DHCPv6/ });
    t.same(
      (await place.ip('link')).map(({ ifname }) => ifname),
      ['lo'],
    );
    t.equal(await onRecord(lan.host), 0);
  });
});

t.test('somebody else has the address: it is declined', { skip }, async (t) => {
  const one = { ...SERVING6, first: '2001:db8:50::100', last: '2001:db8:50::100' };
  await withServer(t, kea6(one), MANAGED, async ({ lan, server }) => {
    await lan.station('squatter', ['2001:db8:50::100/64']);
    const wanted = network(lan.host, { addressing: 'dhcp6' });
    await lan.host.container('c1');
    t.match(await refused(wanted, 'c1'), { code: 101 });
    await server.says('DECLINE');
    t.match(server.leases(), [{ address: '2001:db8:50::100', state: 'declined' }]);
    t.equal(await onRecord(lan.host), 0);
  });
});
