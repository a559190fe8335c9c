/** What is under an attachment is changed behind its back, in the container and on the host. */
import t from 'tap';
import { withHost } from '../kernel/harness.ts';
import { Lan } from '../kernel/lan.ts';
import { asked } from '../kernel/netmoor-command.ts';
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

/** What somebody does to netmoor's table, over and over, while containers come and go. */
const NUISANCES: Readonly<Record<string, string>> = {
  'the ruleset is flushed': 'nft flush ruleset; sleep 0.02',
  'sets are flushed': 'nft flush set netdev netmoor ports; nft flush set netdev netmoor own6; sleep 0.01',
  'the ruleset changes': 'nft add table inet busy; nft delete table inet busy',
};

for (const [what, script] of Object.entries(NUISANCES)) {
  t.test(`${what} meanwhile`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await Lan.open(host);
      const lan = network(host, { ...POOL, hostAccess: true });
      const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
      for (const name of names) await host.container(name);
      const before = await state(host);
      const nuisance = host.start(['sh', '-c', `while :; do ${script}; done 2> /dev/null`]);
      for (let round = 0; round < 3; round++) {
        const added = await Promise.all(names.map((name) => lan.run('ADD', name)));
        // What the guard drops for want of its own elements cannot be announced.
        const odd = added.filter(({ code, json }) => code !== 0 && !/ENOBUFS/.test(json?.msg ?? ''));
        t.same(
          odd.map(({ stdout }) => stdout),
          [],
          'ADD fails for no other reason',
        );
        const deleted = await Promise.all(names.map((name) => lan.run('DEL', name)));
        t.same(
          deleted.map(({ code, stdout }) => (code === 0 ? 0 : stdout)),
          names.map(() => 0),
        );
      }
      await nuisance.stop();
      await host.run(['nft', 'delete', 'table', 'inet', 'busy']);
      t.same((await asked(host, 'gc')).view.garbage, [], 'nor is there anything to collect');
      const after = await state(host);
      t.same(after, before, 'nothing is left');
      t.equal(await onRecord(host), 0);
    });
  });
}
