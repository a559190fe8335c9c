/** What containers and their surroundings may do to the engine that looks after their DHCP leases. */
import t from 'tap';
import { holdings, hostPid } from '../kernel/engine-bed.ts';
import { until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { SERVING4, skip } from '../dhcp/dhcp-lan.ts';
import { dnsmasq } from '../dhcp/dnsmasq.ts';
import { kea4 } from '../dhcp/kea.ts';
import { addressesOf, eventually, givenBack, withEngine } from '../dhcp/lease-bed.ts';
import { DhcpServer } from '../dhcp/server.ts';

t.setTimeout(240_000);
t.jobs = 5;

const SHORT = { ...SERVING4, seconds: 10 };

async function inodeOf(host: Host, path: string): Promise<string> {
  return (await host.must(['stat', '-L', '-c', '%i', path])).trim();
}

t.test(
  'who is root in a container breaks its link while it is asked who has its address',
  { skip },
  async (t) => {
    await withEngine(t, async (bed) => {
      await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
      const network = await bed.network('bridge-nat', { checkAddress: true, timeout: 5 });
      const pid = await hostPid(bed.host);
      const bystander = await network.moor('bystander');
      const place = await bed.host.container('boat');
      const flaps = place.start([
        'sh',
        '-c',
        'while :; do ip link set eth0 down; sleep 0.05; ip link set eth0 up; sleep 0.3; done 2>/dev/null',
      ]);
      for (let round = 0; round < 4; round++) {
        await network.run('ADD', 'boat');
        await network.del('boat');
      }
      await flaps.stop();
      t.equal(await hostPid(bed.host), pid, 'the same engine');
      t.match(await network.check(bystander), { code: 0 });
      t.match(await network.moor('another'), { ip4: /^192\.0\.2\./ });
    });
  },
);

t.test('another container gets the number of a namespace that is gone', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
    const network = await bed.network('bridge-nat');
    const boat = await network.moor('boat');
    const inode = await inodeOf(bed.host, '/run/netns/boat');
    const pid = String(await hostPid(bed.host));
    await bed.host.must(['kill', '-STOP', pid]);
    await bed.host.removeContainer('boat');
    const names: string[] = [];
    await until(async () => {
      const name = `other${names.push('')}`;
      await bed.host.shell(`ip netns add ${name}`);
      const isIt = (await inodeOf(bed.host, `/run/netns/${name}`)) === inode;
      if (!isIt) await bed.host.removeContainer(name);
      return isIt;
    }, 'a namespace of the same number');
    const other = bed.host.at(`/run/netns/other${names.length}`);
    await other.shell('ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up');
    const sleeper = other.start(['sleep', '1000']);
    await bed.host.must(['kill', '-CONT', pid]);
    await server.says('RELEASE', { deadlineMs: 45_000 });
    await t.resolves(givenBack(server, boat.ip4));
    t.same(await addressesOf(other), []);
    await sleeper.stop();
  });
});

t.test('an interface gets another name', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('bridge-nat');
    const { place, ip4 } = await network.moor('boat');
    await place.shell('ip link set eth0 name lan0');
    const acks = server.messages().filter((message) => message === 'ACK').length;
    await server.says('ACK', { count: acks + 3, deadlineMs: 30_000 });
    t.match(await place.ip('-4', 'address', 'show', 'dev', 'lan0'), [{ addr_info: [{ local: ip4 }] }]);
    t.same(
      server.messages().filter((message) => message === 'DISCOVER'),
      ['DISCOVER'],
    );
    await network.del('boat');
    await givenBack(server, ip4);
  });
});

t.test('no descriptor is left', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, dnsmasq(SERVING4));
    const network = await bed.network('bridge-nat');
    const boats = await Promise.all(['one', 'two', 'three'].map(async (name) => network.moor(name)));
    const pid = await hostPid(bed.host);
    const { fds } = await holdings(bed.host, pid);
    for (let spare = 0; spare < 12; spare++) {
      await bed.host.must(['prlimit', `--pid=${pid}`, `--nofile=${fds + spare}:`]);
      // Each removal makes it look who is gone.
      await bed.host.shell('ip netns add brief; ip netns delete brief; sleep 0.4');
    }
    await bed.host.must(['prlimit', `--pid=${pid}`, '--nofile=4096:']);
    for (const { name, place, ip4 } of boats) {
      t.same(await addressesOf(place), [`${ip4}/24`], name);
      await network.del(name);
      await givenBack(server, ip4);
    }
    t.equal(await hostPid(bed.host), pid);
    t.equal(server.messages().filter((message) => message === 'RELEASE').length, 3, 'not before DEL');
  });
});

t.test('the store is held by another process', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SHORT));
    const network = await bed.network('bridge-nat');
    const { place, ip4 } = await network.moor('boat');
    const script = `
      const { DatabaseSync } = require('node:sqlite');
      const { globSync } = require('node:fs');
      const [file] = globSync('/var/lib/cni/**/*.{db,sqlite,sqlite3}').concat(globSync('/var/lib/netmoor/**/*.db'));
      const db = new DatabaseSync(file);
      db.exec('BEGIN IMMEDIATE');
      console.log('held');
      setInterval(() => {}, 1000);`;
    const holder = bed.host.start([process.execPath, '-e', script]);
    await holder.until(() => holder.output.includes('held'), 'the lock');
    const acks = server.messages().filter((message) => message === 'ACK').length;
    await server.says('ACK', { count: acks + 4, deadlineMs: 60_000 });
    t.same(await addressesOf(place), [`${ip4}/24`]);
    await server.crash();
    await eventually(t, async () => addressesOf(place), [], 'it lapses all the same', 60_000);
    await holder.stop();
    await bed.engine.crash();
    await bed.engine.restart();
    await server.start();
    await eventually(t, async () => (await addressesOf(place)).length, 1, 'and is leased again', 60_000);
  });
});
