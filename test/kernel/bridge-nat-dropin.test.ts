/** Keys that bridge-nat has taken over from the plugins that used to come behind it: tuning, sbr, VLANs, firewall. */
import t from 'tap';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { CniJson, Host, Place } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { addChainMust, runChain } from './harness-chain.ts';

const skip = lacking() ?? false;

async function setting(place: Place, path: string): Promise<string> {
  return (await place.must(['cat', `/proc/sys/net/${path}`])).trim();
}

/** The tables that rules lead to what is sent from addresses, by address. */
async function tables(place: Place): Promise<Map<string, string>> {
  const lines = `${await place.must(['ip', 'rule'])}${await place.must(['ip', '-6', 'rule'])}`;
  return new Map(
    [...lines.matchAll(/from (\S+) lookup (\d+)/g)].map(([, from = '', table = '']) => [from, table]),
  );
}

t.test('what tuning does, in the container and nowhere else', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, {
      ...DUAL_STACK,
      mac: '02:00:5e:00:00:99',
      sysctl: {
        'net.core.somaxconn': '517',
        'net/ipv4/conf/IFNAME/arp_filter': '1',
        'net.ipv4.ip_local_port_range': '20000 30000',
      },
      promisc: true,
      allmulti: true,
      txQLen: 77,
      args: { cni: { sysctl: { 'net.core.somaxconn': '518' }, mtu: 1300 } },
    });
    const somaxconn = await setting(host, 'core/somaxconn');
    const { place, result } = await network.container('c1', { ifname: 'eth0.5' });
    t.equal(await setting(place, 'core/somaxconn'), '518', 'args count before the key');
    t.equal(await setting(place, 'ipv4/conf/eth0.5/arp_filter'), '1', 'of an interface whose name has a dot');
    t.equal(await setting(place, 'ipv4/ip_local_port_range'), '20000\t30000');
    t.equal(await setting(host, 'core/somaxconn'), somaxconn, 'the host’s is untouched');
    const [link] = await place.ip('link', 'show', 'dev', 'eth0.5');
    t.match(link, { address: '02:00:5e:00:00:99', mtu: 1300, txqlen: 77 });
    t.match(link?.flags?.toString(), /PROMISC/);
    t.match(link?.flags?.toString(), /ALLMULTI/);
    const wish = { ifname: 'eth0.5' };
    t.equal(await network.check('c1', result, wish), undefined, 'CHECK agrees');
    await place.shell(
      'echo 0 >/proc/sys/net/ipv4/conf/eth0.5/arp_filter; ip link set eth0.5 promisc off txqueuelen 5 mtu 1200',
    );
    const complaints = (await network.check('c1', result, wish)) ?? '';
    for (const word of ['arp_filter', 'promiscuous', 'transmit queue length', 'MTU'])
      t.match(complaints, word, word);
    await network.del('c1', wish);
    t.same(
      (await place.ip('link')).map(({ ifname }) => ifname),
      ['lo'],
    );
    t.equal(
      await setting(place, 'core/somaxconn'),
      '518',
      'as in the reference: what is not the interface’s stays',
    );
  });
});

t.test('a setting that cannot be made leaves nothing behind', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const place = await host.container('c1');
    const somaxconn = await setting(place, 'core/somaxconn');
    for (const bad of [{ 'net.nothing.like.it': '1' }, { 'net.ipv4.ip_forward': 'perhaps' }]) {
      const network = new Network(host, { sysctl: { 'net.core.somaxconn': '99', ...bad } });
      const { code, json } = await network.run('ADD', 'c1');
      t.match({ code, json }, { code: 1, json: { code: 7 } });
      t.match(json?.msg, Object.keys(bad)[0]);
      t.equal(await setting(place, 'core/somaxconn'), somaxconn, 'put back');
      t.same(
        (await place.ip('link')).map(({ ifname }) => ifname),
        ['lo'],
      );
    }
  });
});

/** Two networks, both with a default route; `second` is routed by source. */
async function twoNetworks(
  host: Host,
  sbr: unknown,
): Promise<{ place: Place; second: Network; result: CniJson }> {
  const first = new Network(host, { ...DUAL_STACK, isDefaultGateway: true });
  const { place } = await first.container('c1');
  const second = new Network(host, {
    name: 'quay',
    isDefaultGateway: true,
    ipam: { ranges: [[{ subnet: '10.78.0.0/24' }], [{ subnet: 'fd00:78::/64' }]] },
    ...(sbr === undefined ? {} : { sbr }),
  });
  return { place, second, result: await second.add('c1', { ifname: 'eth1' }) };
}

t.test('source-based routing: each network answers by its own way', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { place, second, result } = await twoNetworks(host, true);
    t.same(
      await tables(place),
      new Map([
        ['10.78.0.2', '100'],
        ['fd00:78::2', '101'],
      ]),
    );
    t.match(await place.must(['ip', 'rule']), /from 10\.78\.0\.2 lookup 100 proto 109/);
    const inTable = await place.must(['ip', 'route', 'show', 'table', '100']);
    t.match(inTable, /default via 10\.78\.0\.1 dev eth1/);
    t.match(inTable, /10\.78\.0\.0\/24 dev eth1 .*src 10\.78\.0\.2/);
    t.match(
      await place.must(['ip', '-6', 'route', 'show', 'table', '101']),
      /default via fd00:78::1 dev eth1/,
    );
    const main = `${await place.must(['ip', 'route'])}${await place.must(['ip', '-6', 'route'])}`;
    t.notMatch(main, /78.* dev eth1/, 'the main table is the first network’s');
    t.match(main, /fe80::\/64 dev eth1/, 'but for link-local addresses');
    t.match(main, /default via 10\.77\.0\.1 dev eth0/);
    await serve(host.outside, 'tcp', 80);
    await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside6' });
    for (const [address, from] of [
      [world.internet4, '10.78.0.2'],
      [world.internet6, 'fd00:78::2'],
    ] as const)
      t.match(await place.must(['ip', 'route', 'get', address, 'from', from]), /dev eth1/);
    t.ok(await ask(place, 'tcp', world.internet4, 80), 'the usual way is open');
    const wish = { ifname: 'eth1' };
    t.equal(await second.check('c1', result, wish), undefined, 'CHECK agrees');
    await place.must(['ip', 'rule', 'del', 'from', '10.78.0.2']);
    t.match(await second.check('c1', result, wish), '10.78.0.2');
    await place.must(['ip', 'rule', 'add', 'from', '10.9.9.9', 'lookup', '101']);
    await second.del('c1', wish);
    t.same(
      await tables(place),
      new Map([['10.9.9.9', '101']]),
      'in a namespace that lives on ours alone is gone',
    );
    t.match(await place.must(['ip', 'route']), /default via 10\.77\.0\.1 dev eth0/);
  });
});

t.test(
  'source-based routing: a table of others, gateways of one’s own, subnets kept',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      const { place, second, result } = await twoNetworks(host, { table: 300 });
      t.same(
        await tables(place),
        new Map([
          ['10.78.0.2', '300'],
          ['fd00:78::2', '300'],
        ]),
      );
      t.match(await place.must(['ip', 'route']), /10\.78\.0\.0\/24 dev eth1/, 'routes stay');
      t.equal(await second.check('c1', result, { ifname: 'eth1' }), undefined);
      const third = new Network(host, {
        name: 'pier',
        isDefaultGateway: true,
        ipam: { subnet: '10.79.0.0/24' },
        sbr: { gateways: ['10.79.0.9'], addSourceHints: true },
      });
      const wish = { ifname: 'eth2' };
      const more = await third.add('c1', wish);
      t.match(await place.must(['ip', 'route', 'show', 'table', '100']), /default via 10\.79\.0\.9 dev eth2/);
      t.match(await place.must(['ip', 'route']), /10\.79\.0\.0\/24 dev eth2/);
      t.equal(await third.check('c1', more, wish), undefined);
      await third.del('c1', wish);
      await second.del('c1', { ifname: 'eth1' });
      t.equal((await tables(place)).size, 0);
    });
  },
);

t.test('the reference’s sbr behind bridge-nat', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const place = await host.container('c1');
    const ipam = { ranges: [[{ subnet: '10.78.0.0/24' }]] };
    const plugins = [{ type: 'bridge-nat', isDefaultGateway: true, ipam }, { type: 'sbr' }];
    const list = { cniVersion: '1.0.0', name: 'quay', plugins };
    const call = { containerId: 'c1', ifname: 'eth1', netns: place.netnsPath };
    const result = await addChainMust(host, list, call);
    t.same(await tables(place), new Map([['10.78.0.2', '100']]));
    t.match(await place.must(['ip', 'route', 'show', 'table', '100']), /default via 10\.78\.0\.1 dev eth1/);
    await runChain(host, 'CHECK', list, call, result);
    await runChain(host, 'DEL', list, call, result);
    t.equal((await tables(place)).size, 0);
  });
});

t.test('VLANs: each container in its own, or a clear refusal', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const tried = await host.run(['ip', 'link', 'add', 'trial', 'type', 'bridge', 'vlan_filtering', '1']);
    const network = new Network(host, {
      ...DUAL_STACK,
      vlan: 7,
      vlanTrunk: [{ id: 20 }, { minID: 30, maxID: 32 }],
    });
    if (tried.code === 0) {
      const { place, result } = await network.container('c1');
      const neighbour = await network.container('c2');
      await serve(neighbour.place, 'tcp', 80);
      t.ok(await ask(place, 'tcp', neighbour.ip4, 80), 'neighbours of one VLAN');
      t.match(await host.must(['bridge', 'vlan', 'show']), /7 PVID Egress Untagged/);
      t.equal(await network.check('c1', result), undefined);
      return;
    }
    await host.container('c1');
    const before = (await host.ip('link')).map(({ ifname }) => ifname);
    const { code, json } = await network.run('ADD', 'c1');
    t.match({ code, json }, { code: 1, json: { code: 2 } });
    t.match(json?.msg, 'CONFIG_BRIDGE_VLAN_FILTERING');
    t.same(
      (await host.ip('link')).map(({ ifname }) => ifname),
      before,
      'nothing is left behind',
    );
    t.match((await network.whole('STATUS')).json, { code: 50 }, 'STATUS says it too');
    await host.must(['ip', 'link', 'add', 'yard', 'type', 'bridge']);
    const foreign = new Network(host, { ipam: {}, bridge: 'yard', vlan: 7 });
    t.match((await foreign.run('ADD', 'c1')).json, { code: 7 }, 'a bridge of others is not switched');
    t.comment(`VLANs themselves are not tried: ${tried.stderr.trim()}`);
  });
});

t.test('all subnets of a range set are the bridge’s', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const sets = [[{ subnet: '10.61.0.0/30' }, { subnet: '10.62.0.0/24', gateway: '10.62.0.254' }]];
    const network = new Network(host, { bridge: 'quay', isDefaultGateway: true, ipam: { ranges: sets } });
    const first = await network.container('c1');
    const own = async () =>
      (await host.ip('-4', 'address', 'show', 'dev', 'quay')).flatMap(({ addr_info: all = [] }) =>
        all.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      );
    t.same(await own(), ['10.61.0.1/30', '10.62.0.254/24'], 'from the first container on');
    const second = await network.container('c2');
    t.match(second.result.ips, [{ address: '10.62.0.1/24', gateway: '10.62.0.254' }], 'the next subnet');
    await serve(second.place, 'tcp', 80);
    t.match(await ask(first.place, 'tcp', second.ip4, 80), { peer: first.ip4 }, 'and no NAT between them');
    for (const [name, { result }] of Object.entries({ c1: first, c2: second }))
      t.equal(await network.check(name, result), undefined, name);
    await host.must(['ip', 'address', 'del', '10.62.0.254/24', 'dev', 'quay']);
    t.match(await network.check('c1', first.result), '10.62.0.254/24');
  });
});

t.test('keys that change nothing are told of; unknown arguments are refused', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const keys = { backend: 'iptables', firewalldZone: 'trusted', iptablesAdminChainName: 'CNI-ADMIN' };
    const network = new Network(host, {
      ...keys,
      ipMasqBackend: 'iptables',
      addIf: 'true',
      Documentation: 'x',
    });
    const unknown = await network.run('ADD', 'c1', { args: 'K8S_POD_NAME=web;COLOUR=red' });
    t.match(unknown, { code: 1, json: { code: 4 } });
    t.match(unknown.json?.msg, 'COLOUR');
    const told = await network.run('ADD', 'c1', { args: 'IgnoreUnknown=true;COLOUR=red' });
    t.equal(told.code, 0);
    for (const key of [...Object.keys(keys), 'ipMasqBackend']) t.match(told.stderr, `"${key}" has no effect`);
    t.notMatch(told.stderr, /addIf|Documentation/);
    const again = await network.run('DEL', 'c1', { args: 'COLOUR=red' });
    t.match(again, { code: 0, stderr: '' }, 'DEL of anything succeeds, and says nothing');
  });
});
