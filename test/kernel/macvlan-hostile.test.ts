/** Input that was not meant, and surroundings that are not as they should be. */
import t from 'tap';
import { OWN_PLUGINS } from './harness-cni.ts';
import { CODES, POOL, network, onRecord, refused, skip, state, usedNetwork, withLan } from './macvlan-bed.ts';
import { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';

t.setTimeout(120_000);
t.jobs = 3;

const PLUGIN = `${OWN_PLUGINS}/macvlan-v6`;

t.test('calls that cannot be done leave nothing', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const lan = await usedNetwork(host, POOL);
    await host.container('c1');
    const before = await state(host);
    const call = { config: lan.config, containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1' };
    const fails = async (what: string, code: number, more: object): Promise<void> => {
      const { json, stdout } = await host.cni(PLUGIN, 'ADD', { ...call, ...more });
      t.equal(json?.code, code, `${what}: ${stdout}`);
    };
    const environment = 4;
    await fails('no namespace', environment, { netns: undefined });
    await fails('a namespace that is not there', environment, { netns: '/run/netns/none' });
    await fails('a file that is none', environment, { netns: '/etc/passwd' });
    await fails("the host's own", environment, { netns: '/proc/1/ns/net' });
    for (const ifname of ['', 'a/b', 'a b', '.', 'sixteenletterslo'])
      await fails(`ifname "${ifname}"`, environment, { ifname });
    await fails('lo', CODES.nameTaken, { ifname: 'lo' });
    for (const containerId of ['', '../c1', '-c1'])
      await fails(`id "${containerId}"`, environment, { containerId });
    for (const config of [
      { mode: 'bridges' },
      { mtu: 10 },
      { mtu: -1 },
      { bcqueuelen: -1 },
      { mac: 'x' },
      { dad: 'no' },
      { master: 5 },
    ])
      await fails(JSON.stringify(config), CODES.config, { config: { ...lan.config, ...config } });
    await fails('an unknown key', 2, { config: { ...lan.config, hostacces: true } });
    const { code } = await host.run(['setpriv', '--bounding-set=-all', '--inh-caps=-all', PLUGIN], {
      input: JSON.stringify(lan.config),
      env: {
        CNI_COMMAND: 'ADD',
        CNI_CONTAINERID: 'c1',
        CNI_IFNAME: 'eth0',
        CNI_NETNS: call.netns,
        CNI_PATH: '/none',
      },
    });
    t.equal(code, 1, 'without privileges');
    t.same(await state(host), before, 'nothing is left of any');
    t.equal(await onRecord(host), 0);
  });
});

t.test('names as long, and as odd, as they may be', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const long = network(host, { ...POOL, name: 'n'.repeat(76) });
    const before = await state(host);
    const id = 'i'.repeat(153);
    const wish = { ifname: 'fifteenletters0' };
    for (const [to, container, wanted] of [
      [long, id, wish],
      [network(host, POOL), 'c1', { ifname: 'a"b' }],
      [network(host, POOL), 'c1', { ifname: "it's" }],
      [network(host, POOL), 'c1', { ifname: 'ü' }],
    ] as const) {
      await host.container('ns');
      const { code, json, stdout } = await to.run('ADD', container, wanted, {}, '/run/netns/ns');
      t.equal(code, 0, stdout);
      const check = await to.run('CHECK', container, wanted, { prevResult: json }, '/run/netns/ns');
      t.equal(check.code, 0, check.stdout);
      const { garbage, unrecorded } = (await asked(host, 'gc')).view;
      t.same([...garbage, ...unrecorded], [], `${wanted.ifname} is accounted for`);
      const del = await to.run('DEL', container, wanted, {}, '');
      t.equal(del.code, 0, del.stdout);
      await host.removeContainer('ns');
      t.same(await state(host), before, `nothing is left of ${wanted.ifname}`);
    }
  });
});

t.test('an interface of that name in the container', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const lan = network(host, POOL);
    const place = await host.container('c1');
    await place.shell('ip link add eth0 type veth peer name eth9');
    const before = await state(host);
    t.match(await refused(lan, 'c1'), { code: CODES.nameTaken });
    t.equal((await lan.run('DEL', 'c1')).code, 0);
    t.same(await state(host), before, 'it is left alone');
    t.match((await lan.run('ADD', 'c1', { ifname: 'eth1' })).json, { ips: [{}] }, 'another name is free');
    t.equal((await lan.run('DEL', 'c2', { ifname: 'eth0' }, {}, '/run/netns/c1')).code, 0);
    t.equal((await place.ip('link', 'show', 'eth0')).length, 1, 'a DEL of what never was takes nothing');
  });
});

t.test('sysctls that cannot be written', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const lan = network(host, POOL);
    await lan.container('c1');
    await lan.del('c1');
    const before = await state(host);
    await host.shell('mount --bind -o ro /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys');
    const { code, json } = await lan.run('ADD', 'c1');
    t.equal(code, 1);
    t.match(json?.msg, /sys/, 'is said');
    t.same(await state(host), before, 'and nothing is left');
    t.equal(await onRecord(host), 0);
  });
});

t.test('behind another plugin', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const outer = new Network(host, { ipam: { ranges: [[{ subnet: '10.77.0.0/24' }]] } });
    const lan = network(host, POOL);
    const { place, result } = await outer.container('c1');
    const wish = { ifname: 'eth1' };
    const { code, json, stdout } = await lan.run('ADD', 'c1', wish, { prevResult: result });
    t.equal(code, 0, stdout);
    t.same(json?.ips?.length, 2, 'both addresses are in the result');
    t.ok(json?.interfaces?.some(({ name, sandbox }) => name === 'eth1' && sandbox === place.netnsPath));
    const own = json?.interfaces?.findIndex(({ name }) => name === 'eth1');
    t.equal(json?.ips?.find(({ address }) => address.startsWith('fd00:50:'))?.interface, own);
    t.equal(await lan.check('c1', json ?? {}, wish), undefined);
    t.equal(await outer.check('c1', json ?? {}), undefined);
    await lan.del('c1', wish);
    t.equal(await outer.check('c1', result), undefined, 'the other one stays');
  });
});
