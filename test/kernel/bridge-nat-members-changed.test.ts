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
