/**
 * Attachments that no interface of the host stands for: whether their container lives is seen by the number of its
 * namespace, whatever became of the path to it.
 */
import t from 'tap';
import type { Test } from 'tap';
import { until, withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { Lan } from './lan.ts';
import { POOL, network, onRecord, skip, state, usedNetwork } from './macvlan-bed.ts';
import type { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';

t.setTimeout(120_000);
t.jobs = 3;

/** Two addresses, no more. */
const SMALL = {
  ipam: { ranges: [[{ subnet: 'fd00:50::/64', rangeStart: 'fd00:50::10', rangeEnd: 'fd00:50::11' }]] },
};

async function stale(host: Host): Promise<string[]> {
  const { view } = await asked(host, 'ls');
  return view.filter((each) => each.stale !== undefined).map(({ containerId }) => containerId);
}

async function used(host: Host): Promise<Network> {
  await Lan.open(host);
  return usedNetwork(host, SMALL);
}

/** A container whose process lives and to which no path leads any more. */
async function hidden(host: Host, lan: Network, name: string): Promise<Place> {
  const place = await host.container(name);
  await lan.add(name);
  const keeper = place.start(['sh', '-c', 'echo $$; exec sleep infinity']);
  await keeper.until(() => keeper.output.endsWith('\n'), 'a process');
  await host.shell(`umount /run/netns/${name}; rm /run/netns/${name}`);
  return host.at(`/proc/${keeper.output.trim()}/ns/net`, name);
}

async function hasInterface(place: Place, name: string): Promise<boolean> {
  return (await place.ip('link', 'show')).some(({ ifname }) => ifname === name);
}

t.test('namespace deleted, process killed: stale, reclaimed, collected', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    const before = await state(host);
    await lan.container('c1');
    const { place, stop } = await host.processContainer('c2');
    const added = await lan.run('ADD', 'c2', {}, {}, place.netnsPath);
    t.equal(added.code, 0, added.stdout);
    t.same(await stale(host), [], 'both live');
    t.match((await lan.run('ADD', 'c3', {}, {}, place.netnsPath)).json, { code: Number }, 'the pool is full');
    await host.removeContainer('c1');
    await until(async () => (await stale(host)).includes('c1'), 'c1 is stale');
    const c3 = await lan.container('c3');
    t.ok(['fd00:50::10', 'fd00:50::11'].includes(c3.ip6), "its address is the next one's");
    await stop();
    await until(async () => (await stale(host)).includes('c2'), 'c2 is stale');
    const { view } = await asked(host, 'gc');
    t.same(
      view.garbage.map(({ what }) => what),
      ['lan/c2/eth0'],
    );
    t.same(view.failures, []);
    t.equal(await lan.check('c3', c3.result), undefined, 'who lives has lost nothing');
    await host.removeContainer('c3');
    await until(async () => (await stale(host)).includes('c3'), 'c3 is stale');
    await asked(host, 'gc');
    t.same(await state(host), before, 'nothing is left');
    t.equal(await onRecord(host), 0);
  });
});

/** What root in a container can do to hide its interface. */
const DISGUISES: Readonly<Record<string, string>> = {
  'as it was made': '',
  renamed: 'ip link set eth0 name lan9',
  'of another MAC address': 'ip link set eth0 address 02:00:00:00:99:01',
  'of another alias': 'ip link set eth0 alias "netmoor lan/other/eth0"',
  'without an alias, renamed': 'ip link set eth0 alias ""; ip link set eth0 name lan9',
  'of another MAC address and alias, renamed and down': `ip link set eth0 down
    ip link set eth0 address 02:00:00:00:99:01 alias "netmoor lan/other/eth0" name lan9`,
};

t.test('a living container that no path leads to', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    const before = await state(host);
    for (const [how, script] of Object.entries(DISGUISES)) {
      const place = await hidden(host, lan, 'c1');
      await place.shell(script);
      t.same(await stale(host), [], `${how}: it is not taken for dead`);
      t.same((await asked(host, 'gc')).view.garbage, [], `${how}: nor collected`);
      const { code, stdout } = await lan.run('DEL', 'c1', {}, {}, '');
      t.equal(code, 0, stdout);
      t.notOk(
        (await hasInterface(place, 'eth0')) || (await hasInterface(place, 'lan9')),
        `${how}: DEL finds it`,
      );
      t.same(await state(host), before, `${how}: nothing is left`);
    }
  });
});

/** Deletes a namespace, and waits until its number is free. */
async function gone(host: Host, name: string, id: string): Promise<void> {
  await host.removeContainer(name);
  await until(
    async () => !numbers(await host.must(['ip', 'netns', 'list-id'])).has(id),
    `nsid ${id} is free`,
  );
}

function numbers(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^nsid (\d+)(?: \(iproute2 netns name: (\S+)\))?/gm)].map(([, id = '', name = '']) => [
      id,
      name,
    ]),
  );
}

async function nsidOf(host: Host, name: string): Promise<string> {
  const found = [...numbers(await host.must(['ip', 'netns', 'list-id']))].find(([, other]) => other === name);
  if (found === undefined) throw new Error(`${name} has no number`);
  return found[0];
}

async function reused(t: Test, host: Host, lan: Network): Promise<Place> {
  await lan.container('c1');
  const id = await nsidOf(host, 'c1');
  await gone(host, 'c1', id);
  const place = await host.container('c2');
  // As the kernel gives it to the next, if none that is lower is free as well.
  await host.must(['ip', 'netns', 'set', 'c2', id]);
  await lan.add('c2');
  t.equal(await nsidOf(host, 'c2'), id, 'the next has the number');
  const [link] = await place.ip('link', 'show', 'eth0');
  t.ok(link?.['ifindex'], 'with an interface of the same index');
  return place;
}

t.test('the number of a namespace given to another container', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    const place = await reused(t, host, lan);
    t.same(await stale(host), ['c1'], 'the dead one is not taken for the living');
    const { code } = await lan.run('DEL', 'c1', {}, {}, '');
    t.equal(code, 0);
    t.ok(await hasInterface(place, 'eth0'), "nor is the living one's interface deleted with the dead");
    t.match(await asked(host, 'check'), { yes: true });
    await lan.del('c2');
    await gone(host, 'c2', await nsidOf(host, 'c2'));
    const again = await reused(t, host, network(host, { ...POOL, name: 'other' }));
    t.same(
      (await asked(host, 'gc')).view.garbage.map(({ what }) => what),
      ['other/c1/eth0'],
    );
    t.ok(await hasInterface(again, 'eth0'));
  });
});
