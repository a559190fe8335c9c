/** What a master can be, and what can become of it. */
import t from 'tap';
import { withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { CODES, POOL, network, onRecord, refused, skip, state } from './macvlan-bed.ts';
import type { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';
import { naming } from '../naming.ts';

t.setTimeout(120_000);
t.jobs = 3;

const { master } = lanWorld;

async function onLan(host: Host, config: object = {}): Promise<Network> {
  await Lan.open(host);
  return network(host, { ...POOL, ...config });
}

/** Kinds of masters, and how one is made. */
const MASTERS: Readonly<Record<string, string>> = {
  veth: 'ip link add m0 type veth peer name m1; ip link set m1 up; ip link set m0 up',
  bridge: 'ip link add m0 type bridge; ip link set m0 up',
  macvlan: `ip link add m0 link ${master} type macvlan mode bridge; ip link set m0 up`,
  vlan: `ip link add m0 link ${master} type vlan id 7; ip link set m0 up`,
  'one with an odd name':
    "ip link add 'a\"b' type veth peer name m1; ip link set m1 up; ip link set 'a\"b' up",
  'one with a long name':
    'ip link add abcdefghijklmno type veth peer name m1; ip link set m1 up; ip link set abcdefghijklmno up',
};
const NAMES: Readonly<Record<string, string>> = {
  'one with an odd name': 'a"b',
  'one with a long name': 'abcdefghijklmno',
};

t.test('kinds of masters', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await onLan(host);
    for (const [kind, script] of Object.entries(MASTERS)) {
      const name = NAMES[kind] ?? 'm0';
      if ((await host.run(['sh', '-c', script])).code !== 0) {
        t.comment(`this kernel has no ${kind}`);
        await host.run(['ip', 'link', 'delete', name]);
        continue;
      }
      const before = await state(host);
      const lan = network(host, { ...POOL, name: 'kinds', master: name, hostAccess: true });
      const { result } = await lan.container('c1');
      const { place, ip6 } = await lan.container('c2');
      t.equal(await lan.check('c1', result), undefined, kind);
      const [c1 = ''] = (result.ips ?? []).map(({ address }) => address.replace(/\/.*/, ''));
      t.equal((await place.run(['ping', '-c1', '-W3', c1])).code, 0, `${kind}: siblings reach each other`);
      t.not(ip6, c1);
      t.match(await asked(host, 'check'), { yes: true }, kind);
      for (const each of ['c1', 'c2']) {
        await lan.del(each);
        await host.removeContainer(each);
      }
      t.same(await state(host), before, `${kind}: nothing is left`);
      await host.must(['ip', 'link', 'delete', name]);
    }
  });
});

t.test('what cannot be one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await onLan(host);
    await host.container('c1');
    await host.shell(`ip link add br0 type bridge; ip link set br0 up; ip link add p0 type veth peer name p1
      ip link set p0 master br0; ip link set p0 up; ip link add d0 type veth peer name d1`);
    const there = await state(host);
    const by = (name: string) => network(host, { ...POOL, master: name });
    t.match(await refused(by('p0'), 'c1'), { code: CODES.unavailable, msg: naming('p0', 'br0') });
    t.match(await refused(by('d0'), 'c1'), { code: CODES.unavailable, msg: naming('d0') });
    t.match(await refused(by('none0'), 'c1'), { code: CODES.unavailable, msg: naming('none0') });
    t.match(await refused(by('lo'), 'c1'), { code: CODES.unavailable }, 'loopback');
    t.match(await refused(by('way/too'), 'c1'), { code: CODES.config });
    t.same(await state(host), there, 'nothing is left of any');
    t.equal(await onRecord(host), 0);
    await host.shell(`ip link set ${master} down`);
    t.match(await refused(lan, 'c1'), { code: CODES.unavailable, msg: naming(master) });
  });
});

t.test('without a name: the way out, IPv6 before IPv4', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await onLan(host);
    await host.container('c1');
    const lan = network(host, { ...POOL, master: '' });
    const standsOn = async (): Promise<string | undefined> => {
      await lan.add('c1');
      const [listed] = (await asked(host, 'ls')).view;
      await lan.del('c1');
      return listed?.segment;
    };
    t.equal(await standsOn(), 'uplink');
    await host.shell(`ip -6 route flush default; ip -6 route add default via fe80::1 dev ${master}`);
    t.equal(await standsOn(), master, 'IPv6 first');
    await host.shell('ip -6 route del default');
    t.equal(await standsOn(), 'uplink', 'then IPv4');
    await host.shell('ip route del default');
    t.match(await refused(lan, 'c1'), { code: CODES.unavailable });
  });
});

t.test('gone, down and renamed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await onLan(host);
    const make = `ip link add m0 address 02:00:00:00:55:00 type veth peer name m1 address 02:00:00:00:55:01
      ip link set m1 up; ip link set m0 up`;
    const lan = network(host, { ...POOL, master: 'm0', hostAccess: true });
    await host.shell(make);
    await lan.container('first');
    await lan.del('first');
    await host.removeContainer('first');
    const before = await state(host);
    const { result } = await lan.container('c1');
    await host.shell('ip link set m0 down');
    t.match(await lan.check('c1', result), naming('m0'), 'CHECK says that it is down');
    await host.shell('ip link set m0 up; ip link set m0 name m9');
    t.match(await lan.check('c1', result), naming('m0', 'm9'), 'and that it is called otherwise');
    await host.container('c2');
    const again = network(host, { ...POOL, name: 'again', master: 'm9' });
    // What is held under the old name is not given out under the new one.
    const { json } = await again.run('ADD', 'c2');
    t.match(json, { code: CODES.addressTaken });
    const other = await again.run('ADD', 'c2', { ips: ['fd00:50::77'] });
    t.equal(other.code, 0, other.stdout);
    await lan.del('c1');
    t.equal(await again.check('c2', other.json ?? {}), undefined, 'who came after that is guarded still');
    await again.del('c2');
    await host.shell('ip link set m9 name m0');
    for (const name of ['c1', 'c2']) await host.removeContainer(name);
    t.same(await state(host), before, 'nothing is left');

    await lan.container('c1');
    await host.shell('ip link delete m0');
    t.match(await lan.check('c1', result), naming('m0'), 'gone');
    t.same((await asked(host, 'gc')).view.garbage, [], 'the container lives');
    await lan.del('c1');
    await lan.run('DEL', 'c1');
    await host.removeContainer('c1');
    await host.shell(make);
    t.same(await state(host), before, 'nothing is left');
    await lan.container('c1');
    await host.shell(`ip link delete m0; ${make}`);
    const { result: next } = await lan.container('c3');
    t.equal(await lan.check('c3', next), undefined, 'another of that name serves those that come');
    await lan.del('c1');
    t.equal(await lan.check('c3', next), undefined);
    await lan.del('c3');
    for (const name of ['c1', 'c3']) await host.removeContainer(name);
    t.same(await state(host), before);
    t.equal(await onRecord(host), 0);
  });
});
