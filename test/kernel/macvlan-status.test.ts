/** STATUS: would an ADD succeed? And what CHECK says of an attachment that is not as it was promised. */
import t from 'tap';
import { withHost } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { CODES, POOL, network, skip, state, withLan, withRouter } from './macvlan-bed.ts';
import { naming } from '../naming.ts';

t.setTimeout(120_000);
t.jobs = 3;

const { master } = lanWorld;
const SMALL = { subnet: 'fd00:50::/64', rangeStart: 'fd00:50::10', rangeEnd: 'fd00:50::10' };

t.test('STATUS', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    const before = await state(host);
    const good = network(host, POOL);
    const { code, stdout } = await good.whole('STATUS');
    t.equal(code, 0, stdout);
    t.same(await state(host), before, 'changes nothing');
    t.match((await network(host, { ...POOL, master: 'none0' }).whole('STATUS')).json, {
      code: CODES.unavailable,
      msg: naming('none0'),
    });
    t.match((await network(host, { ...POOL, mtu: 9000 }).whole('STATUS')).json, { code: CODES.config });
    const small = network(host, { ipam: { ranges: [[SMALL]] } });
    t.equal((await small.whole('STATUS')).code, 0);
    await small.container('c1');
    t.match(
      (await small.whole('STATUS')).json,
      { code: CODES.unavailable, msg: naming('lan') },
      'the pool is full',
    );
    await small.del('c1');
    await host.shell(`ip link set ${master} down`);
    t.match((await good.whole('STATUS')).json, { code: CODES.unavailable, msg: naming(master) });
    t.match((await network(host, { master: 'uplink', bogus: 1 }).whole('STATUS')).json, { code: Number });
  });
});

t.test('STATUS, of a LAN with and without a router', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const slaac = network(host);
    const conf = `/proc/sys/net/ipv6/conf/${master}`;
    // The host asks for routers itself when its interface comes up.
    await host.shell(`ip link set ${master} down; echo 1 > ${conf}/accept_ra; echo 1 > ${conf}/router_solicitations
      echo 1 > ${conf}/router_solicitation_delay; echo 1 > ${conf}/router_solicitation_interval`);
    const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 133' });
    await host.shell(`ip link set ${master} up`);
    await ear.hears(/router solicitation/, 'the host asks');
    t.match((await slaac.whole('STATUS')).json, { code: CODES.unavailable, msg: naming(master) });
    t.equal((await network(host, { allowLinkLocalOnly: true }).whole('STATUS')).code, 0);
    t.equal((await network(host, POOL).whole('STATUS')).code, 0);
  });
  await withRouter(t, async ({ host }) => {
    t.equal((await network(host).whole('STATUS')).code, 0);
  });
});

/** What is done inside the container, and what CHECK has to name. */
const INSIDE: Readonly<Record<string, string>> = {
  'ip link set eth0 down': 'eth0',
  'ip link set eth0 address 02:00:00:00:99:01': '02:00:00:00:99:01',
  'ip address flush dev eth0 scope global': 'fd00:50::2/64',
  'ip -6 route del default': '::/0',
  'nft flush ruleset': 'eth0',
  'ip link delete eth0': 'eth0',
};

t.test('CHECK names what was changed inside', { skip }, async (t) => {
  await withLan(t, async ({ host }) => {
    for (const [script, named] of Object.entries(INSIDE)) {
      const ipam = { ...POOL.ipam, routes: [{ dst: '::/0' }] };
      const lan = network(host, { ipam });
      const { place, result } = await lan.container('c1');
      t.equal(await lan.check('c1', result), undefined);
      await place.shell(script);
      t.match(await lan.check('c1', result), naming(named), script);
      await lan.del('c1');
      t.match(
        (await lan.run('CHECK', 'c1', {}, { prevResult: result })).json,
        { code: 3 },
        'nothing is on record',
      );
      await host.removeContainer('c1');
    }
  });
});
