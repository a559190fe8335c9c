/** What is left of macvlan-v6 is collected, what was lost put on record again, what was damaged repaired. */
import t from 'tap';
import { withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { Lan } from './lan.ts';
import { addresses, network, onRecord, skip, state, usedNetwork, withRouter } from './macvlan-bed.ts';
import { asked } from './netmoor-command.ts';

t.setTimeout(120_000);
t.jobs = 3;

const DIRECTORY = '/var/lib/cni/netmoor';
const POOLS = {
  ipam: { ranges: [[{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.100' }], [{ subnet: 'fd00:50::/64' }]] },
};

async function lose(host: Host): Promise<void> {
  await host.shell(`mkdir -p /opt/lost; mv ${DIRECTORY}/leases.db* /opt/lost`);
}

async function ids(host: Host): Promise<string[]> {
  return (await asked(host, 'ls')).view.map(({ containerId }) => containerId).sort();
}

t.test('the GC verb leaves what is valid', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = await usedNetwork(host, POOLS);
    const before = await state(host);
    const { result } = await lan.container('c1');
    await lan.container('c2');
    const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] };
    t.equal((await lan.whole('GC', valid)).code, 0);
    t.same(await ids(host), ['c1']);
    t.equal(await lan.check('c1', result), undefined);
    t.equal((await lan.whole('GC', { 'cni.dev/valid-attachments': [] })).code, 0);
    for (const name of ['c1', 'c2']) await host.removeContainer(name);
    t.same(await state(host), before);
    t.equal(await onRecord(host), 0);
  });
});

t.test('a dry run, and what no record accounts for', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host).then(() => usedNetwork(host, { ...POOLS, hostAccess: true }));
    const before = await state(host);
    await lan.container('c1');
    await lose(host);
    const there = await state(host);
    t.same((await asked(host, 'gc', '--dry-run')).view.garbage, [], 'what lives is spared');
    t.ok((await asked(host, 'gc', '--dry-run', '--unrecorded')).view.garbage.length > 0);
    t.same(await state(host), there, 'a dry run changes nothing');
    const { view } = await asked(host, 'gc', '--unrecorded');
    t.same(view.failures, []);
    t.ok(view.garbage.some(({ kind, what }) => kind === 'interface' && what.includes('lan/c1/eth0')));
    await host.removeContainer('c1');
    t.same(await state(host), before, 'unless told otherwise');
    t.same((await asked(host, 'gc')).view.garbage, [], 'once is enough');
  });
});

t.test('base chains of a master that nobody uses any more', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = await usedNetwork(host, POOLS);
    await host.shell('ip link add other type veth peer name far; ip link set other up; ip link set far up');
    const other = network(host, { ...POOLS, name: 'other', master: 'other' });
    await lan.container('c1');
    const before = await host.must(['nft', '-s', 'list', 'ruleset']);
    const { place } = await other.container('c2');
    t.match(await host.must(['nft', 'list', 'ruleset']), /device "?other"?/);
    await host.must([process.execPath, '--eval', FORGET]);
    await place.shell('ip link delete eth0');
    t.ok((await asked(host, 'gc')).view.garbage.some(({ what }) => what.includes('other')));
    t.equal(await host.must(['nft', '-s', 'list', 'ruleset']), before, 'and those in use stay');
  });
});

/** As if the store were an older copy, in which c2 is not. */
const FORGET = `const { DatabaseSync } = require('node:sqlite');
  const db = new DatabaseSync('${DIRECTORY}/leases.db');
  db.exec("DELETE FROM address WHERE attachment = (SELECT id FROM attachment WHERE container = 'c2')");
  db.exec("DELETE FROM attachment WHERE container = 'c2'");
  db.exec("DELETE FROM network WHERE name = 'other'");
  for (const table of ['run', 'cursor', 'released']) db.exec('DELETE FROM ' + table);`;

t.test('a store that was lost is made again', { skip }, async (t) => {
  await withRouter(t, async ({ host }) => {
    const lan = await usedNetwork(host, POOLS);
    const before = await state(host);
    const slaac = network(host, { name: 'slaac' });
    const long = network(host, { ...POOLS, name: 'n'.repeat(76) });
    const id = 'i'.repeat(153);
    await lan.container('c1');
    const { result } = await slaac.container('c2');
    await host.container('c3');
    t.equal(
      (await long.run('ADD', id, {}, {}, '/run/netns/c3')).code,
      0,
      'whose name is too long for the guard',
    );
    const { view: held } = await asked(host, 'leases');
    await lose(host);
    t.same((await asked(host, 'gc', '--rebuild', '--dry-run')).view.recovered.length, 3);
    t.same(await ids(host), [], 'a dry run puts nothing back');
    t.same((await asked(host, 'gc', '--rebuild')).view.recovered.toSorted(), [
      'lan/c1/eth0',
      `${'n'.repeat(76)}/${id}/eth0`,
      'slaac/c2/eth0',
    ]);
    const known = (leases: typeof held.leases) =>
      leases.map(({ address }) => address.replace(/\/.*/, '')).sort();
    t.same(known((await asked(host, 'leases')).view.leases), known(held.leases), 'what was held is held');
    const listed = (await asked(host, 'ls')).view.find(({ containerId }) => containerId === 'c2');
    t.same(
      listed?.addresses.map(({ address }) => address),
      addresses(result),
    );
    t.match(await asked(host, 'check'), { yes: true }, 'and all is as it was');
    const { ip4, ip6 } = await lan.container('c4');
    const taken = known(held.leases);
    t.notOk(taken.includes(ip4) || taken.includes(ip6), 'no address is given twice');
    for (const name of ['c1', 'c4']) await lan.del(name);
    await slaac.del('c2');
    t.equal((await long.run('DEL', id, {}, {}, '')).code, 0);
    for (const name of ['c1', 'c2', 'c3', 'c4']) await host.removeContainer(name);
    t.same(await state(host), before);
  });
});

t.test('an ADD finds by itself who was forgotten', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = await usedNetwork(host, POOLS);
    const first = await lan.container('c1');
    await lose(host);
    const { ip6 } = await lan.container('c2');
    t.not(ip6, first.ip6);
    t.same(await ids(host), ['c1', 'c2']);
    await lan.container('c3');
    await host.must([process.execPath, '--eval', FORGET]);
    await host.container('c4');
    const refusal = await lan.run('ADD', 'c4', { ips: [ip6] });
    t.match(refusal.json, { code: Number }, 'not even to whom asks for it');
    t.same(await ids(host), ['c1', 'c2', 'c3'], 'who is on record again');
  });
});

t.test('what a container says of itself is not believed against others', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = await usedNetwork(host, POOLS);
    const victim = await lan.container('victim');
    const { place: rogue } = await lan.container('rogue');
    const [link] = await victim.place.ip('link', 'show', 'eth0');
    // A macvlan of the victim's MAC address and with its label, on an interface of the rogue's own.
    await rogue.shell(`ip link add own type veth peer name end; ip link set own up
      ip link add link own name forged address ${link?.address} type macvlan
      ip link set forged alias "${String(link?.['ifalias'])}"
      ip link set eth0 alias "netmoor lan/victim/eth0 fd00:50::99/64"`);
    await lose(host);
    await asked(host, 'gc', '--rebuild');
    t.same(await ids(host), ['rogue', 'victim']);
    t.match(await asked(host, 'check'), { yes: true });
    await lan.del('rogue');
    t.equal((await victim.place.ip('link', 'show', 'eth0')).length, 1, 'the victim keeps its interface');
    await lan.del('victim');
    const left = async (name: string) =>
      (await host.ip('-n', name, 'link', 'show'))
        .map(({ ifname }) => ifname)
        .filter((each) => each === 'eth0');
    t.same([await left('victim'), await left('rogue')], [[], []], 'each DEL takes the right one');
  });
});
