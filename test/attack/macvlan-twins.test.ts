/** Two macvlans with one MAC address: what is done about the one never meets the other. */
import t from 'tap';
import type { Test } from 'tap';
import { until, withHost } from '../kernel/harness.ts';
import type { CniAnswer, Host, Place } from '../kernel/harness.ts';
import { Lan } from '../kernel/lan.ts';
import { POOL, named, network, onRecord, skip, state } from '../kernel/macvlan-bed.ts';
import type { Network } from '../kernel/moorings.ts';
import { asked } from '../kernel/netmoor-command.ts';

t.setTimeout(60_000);

async function interfaces(place: Place): Promise<string[]> {
  return (await place.ip('link')).map(({ ifname = '' }) => ifname);
}

/** How many namespaces the host knows by number. */
async function known(host: Host): Promise<number> {
  return (await host.must(['ip', 'netns', 'list-id'])).trim().split('\n').length;
}

/** A container of that name which ends without DEL, and another one of that name, attached under another id. */
async function successor(t: Test, host: Host, lan: Network): Promise<Place> {
  const first = await host.processContainer('web');
  const before = await known(host);
  const one = await lan.run('ADD', 'id1', named('web'), {}, first.place.netnsPath);
  t.equal(one.code, 0, one.stdout);
  await first.stop();
  // The next namespace has its number then, and the interface in it the same index.
  await until(async () => (await known(host)) <= before, 'the kernel has taken the namespace apart');
  const { place } = await host.processContainer('web');
  const two = await lan.run('ADD', 'id2', named('web'), {}, place.netnsPath);
  t.equal(two.code, 0, two.stdout);
  const mac = ({ json }: CniAnswer) => json?.interfaces?.[0]?.mac;
  t.equal(mac(two), mac(one), 'of the same MAC address');
  t.match(await asked(host, 'check'), { view: { attachments: [{}, { differences: [] }] } });
  return place;
}

t.test('a late DEL of the dead leaves its successor alone', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, POOL);
    const place = await successor(t, host, lan);
    t.equal((await lan.run('DEL', 'id1', named('web'), {}, '')).code, 0);
    t.same(await interfaces(place), ['lo', 'eth0']);
    t.match(await asked(host, 'check'), { yes: true, view: { attachments: [{ containerId: 'id2' }] } });
  });
});

t.test('the dead is known to be dead, whoever has its MAC address now', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, POOL);
    const place = await successor(t, host, lan);
    const { view } = await asked(host, 'ls');
    t.same(
      view.filter(({ stale }) => stale !== undefined).map(({ containerId }) => containerId),
      ['id1'],
    );
    t.match((await asked(host, 'gc')).view, { garbage: [{ what: 'lan/id1/eth0' }], failures: [] });
    t.same(await interfaces(place), ['lo', 'eth0']);
    t.match(await asked(host, 'check'), { yes: true, view: { attachments: [{ containerId: 'id2' }] } });
  });
});

t.test("another's MAC address, asked for on a master of the container's own", { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const victim = await network(host, POOL).container('victim');
    const evil = await host.container('evil');
    await evil.shell('ip link add m0 type veth peer name m1; ip link set m0 up; ip link set m1 up');
    const own = network(host, { name: 'own', master: 'm0', linkInContainer: true, addressing: 'none' });
    const mac = victim.result.interfaces?.[0]?.mac ?? '';
    const before = await state(host);
    const wish = { args: `IgnoreUnknown=1;MAC=${mac}` };
    await own.add('evil', wish);
    await evil.shell('ip link delete eth0');
    await own.del('evil', wish);
    t.same(await state(host), before, 'DEL does not go looking for it elsewhere');
    t.match(await asked(host, 'check'), { yes: true });
    await network(host, POOL).del('victim');
    t.equal(await onRecord(host), 0);
  });
});

t.test('a lost store is not made again from a twin that is down', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, POOL);
    const { place: evil } = await lan.container('evil');
    const { place, result } = await lan.container('c1');
    const mac = result.interfaces?.[0]?.mac ?? '';
    const names = ['twin0', 'twin1'];
    // One namespace that is listed before that of the victim, and one behind it.
    const { place: last } = await lan.container('last');
    for (const [index, twin] of [evil, last].entries())
      await twin.shell(`ip link add link eth0 name ${names[index]} address ${mac} type macvlan
        ip link set ${names[index]} alias "netmoor lan/c1/eth0"`);
    await host.shell('mv /var/lib/cni/netmoor /opt/lost');
    t.equal((await asked(host, 'gc', '--rebuild')).view.recovered.length, 3);
    t.match(await asked(host, 'check'), { yes: true });
    await lan.del('c1');
    t.same(await interfaces(place), ['lo'], 'DEL finds the right one');
  });
});
