/** `hostAccess`: the host and its containers reach each other. */
import t from 'tap';
import type { Test } from 'tap';
import { withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import { network, skip, state } from './macvlan-bed.ts';
import { asked } from './netmoor-command.ts';

t.setTimeout(120_000);
t.jobs = 3;

const { master } = lanWorld;
const HOST4 = '192.0.2.2';
const HOST6 = '2001:db8:50::2';
const RANGES = [
  [{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.100' }],
  [{ subnet: '2001:db8:50::/64', rangeStart: '2001:db8:50::100' }],
];
const ACCESS = { ipam: { ranges: RANGES }, hostAccess: true };

async function withAddresses(host: Host): Promise<Lan> {
  const lan = await Lan.open(host);
  await host.shell(
    `ip address add ${HOST4}/24 dev ${master}; ip address add ${HOST6}/64 dev ${master} nodad`,
  );
  return lan;
}

async function pings(place: Place, address: string): Promise<boolean> {
  return (await place.run(['ping', '-c1', '-W3', address])).code === 0;
}

async function reachEachOther(
  t: Test,
  host: Host,
  c: { place: Place; ip4: string; ip6: string },
): Promise<void> {
  t.ok(await pings(host, c.ip4), `host to ${c.place.name}, IPv4`);
  t.ok(await pings(host, c.ip6), `host to ${c.place.name}, IPv6`);
  t.ok(await pings(c.place, HOST4), `${c.place.name} to host, IPv4`);
  t.ok(await pings(c.place, HOST6), `${c.place.name} to host, IPv6`);
}

async function shim(host: Host): Promise<string[]> {
  return (await host.ip('link', 'show')).flatMap(({ ifname = '' }) =>
    ifname.startsWith('nmh') ? [ifname] : [],
  );
}

t.test('shared by two networks, gone with the last', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await withAddresses(host);
    const peer = await lan.station('peer', { addresses: ['192.0.2.9/24', '2001:db8:50::9/64'] });
    const [one, two, plain] = [
      network(host, { ...ACCESS, name: 'one' }),
      network(host, { ...ACCESS, name: 'two' }),
      network(host, { ...ACCESS, name: 'plain', hostAccess: false }),
    ];
    await one.container('first');
    await one.del('first');
    await host.removeContainer('first');
    const before = await state(host);
    const c1 = await one.container('c1');
    const c2 = await two.container('c2');
    const c3 = await plain.container('c3');
    t.equal((await shim(host)).length, 1, 'one interface for all');
    await reachEachOther(t, host, c1);
    await reachEachOther(t, host, c2);
    t.ok(await pings(c1.place, c3.ip6), 'containers reach each other whether or not they reach the host');
    t.notOk(await pings(host, c3.ip4), 'who did not ask for it is not reached');
    t.ok(await peer.pings(c1.ip6), 'peers reach them');
    t.ok(await peer.pings(HOST6), 'and the host');
    t.match(await asked(host, 'check'), { yes: true });
    await one.del('c1');
    t.equal((await shim(host)).length, 1, 'it stays with those that need it');
    await reachEachOther(t, host, c2);
    t.notOk(
      (await host.ip('route', 'show')).some(({ dst }) => dst === c1.ip4),
      "the dead one's route is gone",
    );
    await two.del('c2');
    t.same((await asked(host, 'gc')).view.failures, []);
    await plain.del('c3');
    t.same(await shim(host), []);
    for (const name of ['c1', 'c2', 'c3']) await host.removeContainer(name);
    t.same(await state(host), before);
  });
});

t.test('what is missing is told, and made again', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await withAddresses(host);
    const lan = network(host, ACCESS);
    const c1 = await lan.container('c1');
    const [name = ''] = await shim(host);
    await host.shell(`ip route del ${c1.ip4}`);
    t.match(await lan.check('c1', c1.result), new RegExp(c1.ip4.replaceAll('.', '\\.')));
    await host.shell(`ip link set ${name} down`);
    t.match(await lan.check('c1', c1.result), new RegExp(name));
    await host.shell(`ip link delete ${name}`);
    t.match(await lan.check('c1', c1.result), new RegExp(master));
    const c2 = await lan.container('c2');
    await reachEachOther(t, host, c2);
    await reachEachOther(t, host, c1);
    t.match(await asked(host, 'check'), { yes: true }, 'by the next ADD, for all');
  });
});

t.test('addresses that the host gets later, and loses', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, ACCESS);
    const before = await state(host);
    const c1 = await lan.container('c1');
    t.equal((await shim(host)).length, 1, 'also without any address of the host');
    await host.shell(
      `ip address add ${HOST4}/24 dev ${master}; ip address add ${HOST6}/64 dev ${master} nodad`,
    );
    const c2 = await lan.container('c2');
    await reachEachOther(t, host, c2);
    await reachEachOther(t, host, c1);
    await host.shell(
      `ip address del ${HOST6}/64 dev ${master}; ip address add 2001:db8:50::3/64 dev ${master} nodad`,
    );
    const c3 = await lan.container('c3');
    t.ok(await pings(c3.place, '2001:db8:50::3'));
    t.notOk(await pings(c3.place, HOST6), 'what the host has not any more, its macvlan has neither');
    for (const name of ['c1', 'c2', 'c3']) {
      await lan.del(name);
      await host.removeContainer(name);
    }
    await host.shell(`ip address flush dev ${master} scope global`);
    t.same(await state(host), before);
  });
});

t.test('an interface of that name that is not ours', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await withAddresses(host);
    const [link] = await host.ip('link', 'show', 'dev', master);
    const name = `nmh${String(link?.['ifindex'])}`;
    for (const made of ['type veth peer name far', `link ${master} type macvlan mode bridge`]) {
      await host.shell(`ip link add ${name} ${made}`);
      const there = await state(host);
      await host.container('c1');
      const { code, json } = await network(host, ACCESS).run('ADD', 'c1');
      t.equal(code, 1);
      t.match(json?.msg, name, 'is named');
      await host.removeContainer('c1');
      t.same(await state(host), there, 'and left alone');
      await host.shell(`ip link delete ${name}`);
    }
  });
});
