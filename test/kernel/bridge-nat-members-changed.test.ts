/** `members` whose card somebody changes meanwhile, and what of a card moves beside addresses and routes. */
import t from 'tap';
import { lacking, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';

const skip = lacking() ?? false;

const pool = (subnet: string, gateway: string) => [{ subnet, gateway }];
const OFFICE = {
  name: 'office',
  members: [{ interface: 'uplink', moveAddresses: true }],
  ipam: { ranges: [pool('203.0.113.0/24', world.router4), pool('2001:db8::/64', world.router6)] },
};

async function masterOf(host: Host, dev: string): Promise<string | undefined> {
  return (await host.ip('link', 'show', 'dev', dev))[0]?.master;
}

t.test('cards that are renamed are the members still', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add spare type veth peer name spare1');
    const network = new Network(host, { ...OFFICE, members: [...OFFICE.members, 'spare'] });
    const { result } = await network.container('web');
    await host.shell(`ip link set spare name other; ip link set uplink name lan0
ip link add uplink type veth peer name up1; ip link set other nomaster`);
    t.match(await network.check('web', result), /spare/, 'by its name in the configuration');
    await network.container('next');
    t.equal(await network.check('web', result), undefined);
    t.equal(await masterOf(host, 'lan0'), 'nm-office');
    t.equal(await masterOf(host, 'other'), 'nm-office', 'the next ADD has plugged it in again');
    t.equal(await masterOf(host, 'uplink'), undefined, 'one that has got the name meanwhile is a stranger');
    await host.shell('ip link delete nm-office');
    await host.shell(`ip address add ${world.host4}/24 dev lan0`);
    t.match((await asked(host, 'repair')).view.repaired, [{ network: 'office' }]);
    t.equal(await masterOf(host, 'lan0'), 'nm-office');
    for (const name of ['web', 'next']) await network.del(name);
    const cards = await host.must(['ip', '-o', 'link', 'show']);
    t.notMatch(cards, /altname|master|nm-office/, 'all are given back');
    const own = await host.must(['ip', '-o', '-4', 'address', 'show', 'dev', 'lan0']);
    t.match(own, world.host4);
    t.match(await host.ip('link', 'show', 'dev', 'other'), [{ operstate: 'DOWN' }], 'down, as it was');
  });
});

/** Flags and static neighbours of an interface; temporary addresses by their flag, as each is another. */
async function beside(host: Host, dev: string): Promise<unknown> {
  const [shown] = await host.ip('-6', 'address', 'show', 'dev', dev, 'scope', 'global');
  const all = (shown?.addr_info ?? []) as unknown as Record<string, unknown>[];
  const neighbours = await host.ip('neighbour', 'show', 'dev', dev, 'nud', 'permanent');
  return {
    manages: all.flatMap((each) => (each['mngtmpaddr'] ? each['local'] : [])),
    makes: all.some(({ temporary }) => temporary === true),
    neighbours: neighbours.map((each) => JSON.stringify(each)).sort(),
  };
}

t.test('static neighbours and temporary addresses move along, and come back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`echo 2 > /proc/sys/net/ipv6/conf/uplink/use_tempaddr
ip neighbour add 203.0.113.9 lladdr 02:00:00:00:00:09 dev uplink nud permanent
ip neighbour add 203.0.113.10 lladdr 02:00:00:00:00:10 dev uplink nud permanent proto static
ip neighbour add 2001:db8::9 lladdr 02:00:00:00:00:09 dev uplink nud permanent router
ip address add 2001:db8::77/64 dev uplink mngtmpaddr nodad`);
    const before = await beside(host, 'uplink');
    t.match(before, { manages: ['2001:db8::77'], makes: true, neighbours: { length: 3 } });
    const network = new Network(host, OFFICE);
    await network.container('web');
    t.strictSame(await beside(host, 'nm-office'), before);
    t.match(await beside(host, 'uplink'), { manages: [], makes: false, neighbours: [] });
    const preferred = await host.ip('-6', 'route', 'get', world.internet6);
    t.not(preferred[0]?.['prefsrc'], '2001:db8::77', 'new connections are from a temporary address');
    await host.shell('ip neighbour delete 203.0.113.9 dev nm-office');
    await network.del('web');
    const after = await beside(host, 'uplink');
    t.match(after, { manages: ['2001:db8::77'], makes: true, neighbours: { length: 2 } });
    t.match(JSON.stringify(after), /2001:db8::9[^}]*router/, 'a router is one still');
  });
});
