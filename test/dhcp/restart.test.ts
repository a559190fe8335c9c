/** Leases outlive the engine: what it was told, and what it found out, counts for the next one. */
import t from 'tap';
import { NETMOOR, askStatus, noEngine } from '../kernel/engine-bed.ts';
import { until } from '../kernel/harness.ts';
import { laterRequest } from '../kernel/launcher-bed.ts';
import { SERVING4, skip } from './dhcp-lan.ts';
import { dhcpd4 } from './dhcpd.ts';
import { kea4 } from './kea.ts';
import { activeLease, addressesOf, eventually, givenBack, withEngine } from './lease-bed.ts';
import type { Bed } from './lease-bed.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(240_000);
t.jobs = 4;

const SHORT = { ...SERVING4, seconds: 10 };

const counted = (server: DhcpServer, wanted: string): number =>
  server.messages().filter((message) => message === wanted).length;

/** Resolves when as many renewals more were granted, whoever asks for them. */
async function goesOn(server: DhcpServer, renewals: number): Promise<void> {
  await server.says('ACK', { count: counted(server, 'ACK') + renewals, deadlineMs: 30_000 });
}

/** What a plugin needs to start an engine is not there. */
async function block(bed: Bed): Promise<void> {
  await bed.host.shell('chmod 777 /run/netmoor');
}

async function unblock(bed: Bed): Promise<void> {
  await bed.host.shell('chmod 700 /run/netmoor');
}

t.test('killed, and started by hand', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('bridge-nat');
    const boats = await Promise.all(['one', 'two', 'three'].map(async (name) => network.moor(name)));
    // A first question may be lost, and asked again.
    const asked = counted(server, 'DISCOVER');
    for (let life = 0; life < 2; life++) {
      await bed.engine.crash();
      await bed.engine.restart();
      await goesOn(server, 3);
    }
    await bed.engine.stop();
    await bed.engine.restart();
    await goesOn(server, 3);
    t.equal(counted(server, 'DISCOVER'), asked, 'nobody begins anew');
    for (const { place, ip4, name } of boats) {
      t.same(await addressesOf(place), [`${ip4}/24`]);
      t.ok(activeLease(server, ip4), name);
      await network.del(name);
      await givenBack(server, ip4);
    }
    t.equal(counted(server, 'RELEASE'), 3);
  });
});

t.test('killed, and started by the next call of a plugin', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, dhcpd4(SHORT));
    const network = await bed.network('bridge');
    const boat = await network.moor('boat');
    await bed.engine.crash();
    t.match(await network.check(boat), { code: 0 });
    t.match(await askStatus(bed.host), { running: true, startedBy: 'plugin' });
    await goesOn(server, 2);
    t.equal(counted(server, 'DISCOVER'), 1);
    await bed.host.run(['pkill', '-KILL', '-f', '^netmoor engine --idle']);
    await noEngine(bed.host);
    await network.del('boat');
    await server.says('RELEASE');
    await givenBack(server, boat.ip4);
  });
});

t.test('made way for a later version', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('bridge-nat');
    const boat = await network.moor('boat');
    const asked = counted(server, 'DISCOVER');
    t.equal(await laterRequest(bed.host), 'R');
    await bed.engine.says(/takes over.*stopped.*listens/s);
    await goesOn(server, 3);
    t.equal(counted(server, 'DISCOVER'), asked, 'though nobody asks for anything');
    t.same(await addressesOf(boat.place), [`${boat.ip4}/24`]);
    await network.del('boat');
    await givenBack(server, boat.ip4);
  });
});

t.test('away for longer than the lease', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, dhcpd4(SHORT));
    const network = await bed.network('bridge-nat');
    const boat = await network.moor('boat');
    await bed.engine.crash();
    const { expires } = activeLease(server, boat.ip4) ?? { expires: 0 };
    await until(() => Date.now() / 1000 > expires + 1, 'end of the lease', 20_000);
    const acks = counted(server, 'ACK');
    await bed.engine.restart();
    await bed.engine.says(/the lease is lost \(expired\)/);
    await server.says('DISCOVER', { count: 2 });
    // Until then it may still have the one that is lost.
    await server.says('ACK', { count: acks + 1 });
    await eventually(t, async () => addressesOf(boat.place), [`${boat.ip4}/24`], 'it has the same again');
    t.match(await network.check(boat), { code: 0 });
  });
});

for (const main of ['bridge-nat', 'bridge', 'macvlan'] as const) {
  t.test(`${main}: DEL when there is no engine, and none can be started`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
      const network = await bed.network(main);
      const boat = await network.moor('boat');
      const other = await network.moor('other');
      await bed.engine.stop();
      await block(bed);
      t.match(await network.run('DEL', 'boat'), { code: 0 });
      t.match(await network.run('DEL', 'boat'), { code: 0 }, 'twice');
      t.same(await boat.place.ip('link', 'show', 'up', 'dev', 'eth0').catch(() => 'gone'), 'gone');
      t.match(await network.run('ADD', 'boat'), { code: 1, json: { code: 5 } });
      t.equal(counted(server, 'RELEASE'), 0);
      await unblock(bed);
      await bed.engine.restart();
      await server.says('RELEASE');
      await givenBack(server, boat.ip4);
      t.ok(activeLease(server, other.ip4), 'whoever is still there keeps theirs');
      t.equal(counted(server, 'DISCOVER'), 2);
    });
  });
}

t.test('the host was started anew meanwhile', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, dhcpd4(SERVING4));
    const network = await bed.network('bridge');
    const boat = await network.moor('boat');
    const lost = await network.moor('lost');
    await bed.engine.crash();
    await bed.host.shell(`ip netns delete boat; ip netns delete lost; ip netns add boat
      echo 11111111-2222-4333-8444-555555555555 > /run/boot_id
      mount --bind /run/boot_id /proc/sys/kernel/random/boot_id`);
    await bed.engine.restart();
    const again = await network.add(bed.host.at('/run/netns/boat', 'boat'));
    t.equal(again.ip4, boat.ip4, 'it asks for what it had');
    t.equal(counted(server, 'DISCOVER'), 2, 'and for nothing else');
    await network.del('lost');
    await network.del('boat');
    await givenBack(server, boat.ip4);
    t.ok(lost.ip4);
  });
});

t.test('STATUS without an engine', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const network = await bed.network('bridge-nat', {}, { cniVersion: '1.1.0' });
    const config = { ...network.config };
    const status = async (plugin: string) => bed.host.cni(plugin, 'STATUS', { config });
    for (const plugin of ['dhcp-ipam', 'bridge-nat']) t.match(await status(plugin), { code: 0 }, plugin);
    await bed.engine.stop();
    await block(bed);
    for (const plugin of ['dhcp-ipam', 'bridge-nat'])
      t.match(await status(plugin), { code: 1, json: { code: 50 } }, plugin);
    await unblock(bed);
    t.match(await status('dhcp-ipam'), { code: 0 }, 'it starts one');
    t.match(await askStatus(bed.host), { running: true });
    await bed.host.must([NETMOOR, 'engine', 'stop']);
  });
});

t.test('GC gives back what nobody vouches for', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
    for (const [index, plugin] of (['bridge-nat', 'dhcp-ipam'] as const).entries()) {
      const main = plugin === 'dhcp-ipam' ? 'bridge' : plugin;
      const network = await bed.network(main, {}, { cniVersion: main === 'bridge' ? '1.0.0' : '1.1.0' });
      const kept = await network.moor(`kept-${main}`);
      const lost = await network.moor(`lost-${main}`);
      const valid = [{ containerID: kept.name, ifname: 'eth0' }];
      const config = { ...network.config, cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid };
      await bed.host.cniMust(plugin, 'GC', { config });
      await server.says('RELEASE', { count: index + 1 });
      await givenBack(server, lost.ip4);
      t.ok(activeLease(server, kept.ip4));
    }
    t.equal(counted(server, 'RELEASE'), 2);
  });
});
