/** What is under an attachment is changed behind its back, in the container and on the host. */
import t from 'tap';
import { withHost } from '../kernel/harness.ts';
import { Lan } from '../kernel/lan.ts';
import { POOL, network, onRecord, skip, state, withRouter } from '../kernel/macvlan-bed.ts';

t.setTimeout(60_000);

t.test('default routes of the last metric there is', { skip }, async (t) => {
  await withRouter(t, async ({ host }) => {
    const { place } = await network(host, POOL).container('c1');
    const route = ['route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0', 'metric', '4294967295'];
    await place.must(['ip', '-6', ...route]);
    const slaac = await network(host, { name: 'slaac' }).run('ADD', 'c1', { ifname: 'eth1' });
    t.equal(slaac.code, 0, slaac.stdout);
    const ranges = [[{ subnet: 'fd00:51::/64', gateway: 'fd00:51::1' }]];
    const routed = network(host, { name: 'routed', ipam: { ranges, routes: [{ dst: '::/0' }] } });
    const pool = await routed.run('ADD', 'c1', { ifname: 'eth2' });
    t.equal(pool.code, 0, pool.stdout);
  });
});

t.test('the master, moved to another namespace', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    await host.shell('ip netns add away');
    const lan = network(host, { ...POOL, master: 'away0' });
    await host.container('c1');
    const place = host.at('/run/netns/c1');
    const before = await state(host);
    await host.shell('ip link add away0 type veth peer name far0 netns away; ip link set away0 up');
    await lan.add('c1');
    await host.shell('ip link set away0 netns away');
    await lan.del('c1');
    t.same(
      (await place.ip('link')).map(({ ifname }) => ifname),
      ['lo'],
      'DEL takes the interface away all the same',
    );
    t.equal(await onRecord(host), 0);
    await host.shell('ip -n away link delete away0');
    t.same(await state(host), before);
  });
});
