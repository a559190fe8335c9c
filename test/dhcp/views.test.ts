/** What the `netmoor` command says and does about DHCP leases, beside a server that gives them. */
import t from 'tap';
import { attach, define, detach, netmoor as command } from '../kernel/attach-bed.ts';
import { noEngine, signalEngine } from '../kernel/engine-bed.ts';
import { until } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';
import type { Host } from '../kernel/harness.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { naming } from '../naming.ts';
import { MANAGED, PREFIXES, SERVING4, SERVING6, skip, withDhcpLan } from './dhcp-lan.ts';
import type { DhcpLan } from './dhcp-lan.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(240_000);

/** CNI_PATH does not have it: its own executable does. */
const ELSEWHERE = ['--cni-path', '/usr/lib/cni'];

function listOf(name: string, ipam: object, plugin: object = {}): Record<string, string> {
  const main = { type: 'bridge-nat', bridge: 'br-lan', ...plugin };
  const plugins = [{ ...main, ipam: { type: 'dhcp-ipam', timeout: 15, ...ipam } }];
  return { [name]: JSON.stringify({ cniVersion: '1.0.0', name, plugins }) };
}

async function serving(lan: DhcpLan): Promise<DhcpServer> {
  await lan.bridge();
  return DhcpServer.start(lan.host, lan.router, dnsmasq(SERVING4));
}

async function killEngine(host: Host): Promise<void> {
  await signalEngine(host, 'KILL');
  await noEngine(host);
}

t.test('attach, where CNI_PATH has no dhcp-ipam, and what the views say', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const server = await serving(lan);
    define(host, listOf('lan', { ip: 4 }));
    await host.container('boat');
    const [attached] = await attach(host, '--netns', 'boat', 'lan', ...ELSEWHERE);
    const address = attached?.result.ips?.[0]?.address ?? '';
    t.match(address, /^192\.0\.2\.1[0-4]\d\/24$/);
    await server.says('ACK');

    const { view } = await asked(host, 'leases');
    t.match(view.leases, [{ address, own: false, dhcp: true }]);
    const [lease] = view.dhcp;
    t.match(lease, {
      network: 'lan',
      ifname: 'eth0',
      version: 4,
      addresses: [address],
      prefixes: [],
      server: '192.0.2.1',
      state: 'BOUND',
      lapsed: false,
      gone: undefined,
    });
    const lifetimes = [lease?.renews, lease?.rebinds, lease?.expires].map((moment) => moment?.seconds ?? 0);
    const [t1 = 0, t2 = 0, end = 0] = lifetimes;
    t.ok(0 < t1 && t1 < t2 && t2 < end && end <= 3600, `T1 ${t1}, T2 ${t2}, ${end} s`);
    const inFile = () => server.leases().find((each) => `${each.address}/24` === address);
    const given = await until(inFile, 'the lease file');
    const said = Date.parse(lease?.expires?.at ?? '') / 1000;
    t.ok(Math.abs(said - (given?.expires ?? 0)) < 120, 'the end is what the server has on file');
    t.match(
      (await command(host, 'leases')).stdout,
      /192\.0\.2\.1 +in \d+ min +in \d+ min +in \d+ min +BOUND\n/,
    );
    t.match((await command(host, 'show', '--ascii')).stdout, `${address} (DHCP)`);
    t.match((await asked(host, 'ls')).view, [{ addresses: [{ address, dhcp: true }] }]);
    t.match(await asked(host, 'check'), { yes: true });

    await killEngine(host);
    const dead = await asked(host, 'check');
    t.match(dead, { yes: false, view: { attachments: [{ differences: [naming(address, 'no engine')] }] } });
    await noEngine(host);
    t.pass('looking starts none');
    await detach(host, '--netns', 'boat', ...ELSEWHERE);
    await server.says('RELEASE');
    t.same((await asked(host, 'leases')).view, { leases: [], usage: [], dhcp: [] });
  });
});

t.test('containers that are gone, and no engine', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const server = await serving(lan);
    const config = {
      cniVersion: '1.0.0',
      name: 'theirs',
      type: 'bridge',
      bridge: 'br-lan',
      ipam: { type: 'dhcp-ipam' },
    };
    await host.container('boat');
    const call = { config, containerId: 'boat', ifname: 'eth0', netns: '/run/netns/boat' };
    const added = await host.cni('bridge', 'ADD', call);
    t.equal(added.code, 0, added.stdout);
    const [{ address = '' } = {}] = added.json?.ips ?? [];
    const { view } = await asked(host, 'leases');
    t.same(view.leases, [], 'the reference bridge has no record of ours');
    t.match(view.dhcp, [{ network: 'theirs', containerId: 'boat', addresses: [address] }]);
    await killEngine(host);
    t.match((await asked(host, 'check')).view.attachments, [
      { network: 'theirs', containerId: 'boat', differences: [naming(address, 'no engine')] },
    ]);
    await host.removeContainer('boat');
    const what = naming('theirs/boat/eth0');
    t.match((await asked(host, 'gc', '--dry-run')).view, {
      garbage: [{ kind: 'lease', what }],
      failures: [],
    });
    t.equal(server.messages().filter((each) => each === 'RELEASE').length, 0);
    t.match(await asked(host, 'gc'), {
      yes: true,
      view: { garbage: [{ kind: 'lease', what }], failures: [] },
    });
    await server.says('RELEASE');
    t.same((await asked(host, 'leases')).view.dhcp, []);
    t.same((await asked(host, 'gc')).view.garbage, [], 'there is no more');
  });
});

t.test('gc asks an engine that runs to look now, and marks what none can give back', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const server = await serving(lan);
    const config = {
      ...{ cniVersion: '1.0.0', name: 'theirs', type: 'macvlan', master: 'br-lan' },
      ipam: { type: 'dhcp-ipam' },
    };
    // A namespace without a name, and no port of a bridge that goes with it: of its end nobody is told.
    const born = async (id: string): Promise<Background> => {
      const process = host.start(['unshare', '--net', 'sh', '-c', 'echo $$; exec sleep infinity']);
      await process.until(() => /^\d+\n/.test(process.output), 'namespace');
      const netns = `/proc/${process.output.trim()}/ns/net`;
      const added = await host.cni('macvlan', 'ADD', { config, containerId: id, ifname: 'eth0', netns });
      t.equal(added.code, 0, added.stdout);
      return process;
    };
    const [first, second, third] = [await born('first'), await born('second'), await born('third')];
    await first?.stop();
    const what = naming('theirs/first/eth0');
    t.match(await asked(host, 'gc'), {
      yes: true,
      view: { garbage: [{ kind: 'lease', what }], failures: [] },
    });
    await server.says('RELEASE');
    t.match((await asked(host, 'leases')).view.dhcp, { length: 2 }, 'who lives keeps his');

    await killEngine(host);
    await second?.stop();
    await host.shell('chmod 777 /run/netmoor');
    const failed = await asked(host, 'gc');
    t.match(failed, { yes: false, view: { failures: [{ what: naming('theirs/second/eth0') }] } });
    const marked = (await asked(host, 'leases')).view.dhcp.filter(({ gone }) => gone !== undefined);
    t.match(marked, [{ containerId: 'second' }]);
    t.match((await command(host, 'leases')).stdout, /gone: /);
    await host.shell('chmod 700 /run/netmoor');
    t.match(await asked(host, 'gc'), {
      yes: true,
      view: { garbage: [{ what: naming('theirs/second/eth0') }] },
    });
    await server.says('RELEASE', { count: 2 });
    t.match((await asked(host, 'leases')).view.dhcp, [{ containerId: 'third', gone: undefined }]);
    await third?.stop();
  });
});

t.test('both families on a bridge of somebody', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    await lan.bridge();
    await DhcpServer.start(host, lan.router, dnsmasq(SERVING4, SERVING6));
    await lan.advertise(MANAGED);
    define(host, listOf('office', { ip: 'both' }));
    const place = await host.container('boat');
    const [attached] = await attach(host, '--netns', 'boat', 'office', ...ELSEWHERE);
    const given = (attached?.result.ips ?? []).map(({ address }) => address);
    t.match(given, [/^192\.0\.2\.1/, /^2001:db8:50::1/]);
    const { view } = await asked(host, 'leases');
    t.same(
      view.dhcp.map(({ version, addresses }) => [version, ...addresses]),
      [4, 6].map((version, index) => [version, given[index]]),
    );
    t.equal((await place.ip('-4', 'route', 'show', 'default'))[0]?.gateway, '192.0.2.1');
    const router6 = async () => (await place.ip('-6', 'route', 'show', 'default'))[0]?.gateway;
    t.equal(await until(router6, 'a default route by the router'), 'fe80::1');
    t.match(await asked(host, 'check'), { yes: true });
  });
});

t.test('a lost store', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    await serving(lan);
    define(host, listOf('lan', { ip: 4 }));
    await host.container('boat');
    const [attached] = await attach(host, '--netns', 'boat', 'lan', ...ELSEWHERE);
    await killEngine(host);
    await host.shell('rm /var/lib/cni/netmoor/leases.db*');
    const rebuilt = await command(host, 'gc', '--rebuild');
    t.match(rebuilt.stdout, naming('lan', 'on record again'));
    t.match(rebuilt.stderr, naming('lan', 'DHCP', 'attach it again'));
    const { view, yes } = await asked(host, 'check');
    t.notOk(yes);
    t.match(
      view.attachments.map(({ differences }) => differences),
      [[naming('no DHCP lease is on record')]],
    );
    await detach(host, '--netns', 'boat', ...ELSEWHERE);
    const [again] = await attach(host, '--netns', 'boat', 'lan', ...ELSEWHERE);
    t.equal(
      again?.result.ips?.[0]?.address,
      attached?.result.ips?.[0]?.address,
      'the server knows it by its id',
    );
    t.match(await asked(host, 'check'), { yes: true });
  });
});

t.test('DHCPv6 with a delegated prefix', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    await lan.bridge();
    await DhcpServer.start(host, lan.router, kea6({ ...SERVING6, prefixes: PREFIXES }));
    define(host, listOf('six', { ip: 6, prefixDelegation: true }));
    await host.container('boat');
    const [attached] = await attach(host, '--netns', 'boat', 'six', ...ELSEWHERE);
    const address = attached?.result.ips?.[0]?.address ?? '';
    const { view } = await asked(host, 'leases');
    t.match(view.dhcp, [
      {
        version: 6,
        addresses: [address],
        prefixes: [/^2001:db8:80[0-9a-f:]*\/56$/],
        server: 'fe80::1',
        serverId: /^[0-9a-f]+$/,
      },
    ]);
    await detach(host, '--netns', 'boat', ...ELSEWHERE);
    await until(async () => (await asked(host, 'leases')).view.dhcp.length === 0, 'it is given back');
  });
});
