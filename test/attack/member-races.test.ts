/** The bridge that has the card goes with its last container while the next one comes. */
import t from 'tap';
import { lacking, withHost, world } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';

const skip = lacking() ?? false;
t.setTimeout(120_000);

const LAN = {
  name: 'lan',
  members: [{ interface: 'uplink', moveAddresses: true }],
  ipam: { ranges: [[{ subnet: '203.0.113.0/24', rangeStart: '203.0.113.100', gateway: world.router4 }]] },
};

t.test('the last one leaves, the next one comes, at once', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, LAN);
    const names = ['c0', 'c1', 'c2'];
    for (const name of names) await host.container(name);
    await network.add('c0');
    for (let round = 0; round < 12; round += 1) {
      const [here = '', next = ''] = [names[round % 3], names[(round + 1) % 3]];
      const done = await Promise.all([network.run('DEL', here), network.run('ADD', next)]);
      t.same(
        done.map(({ code, stdout }) => (code === 0 ? '' : stdout)),
        ['', ''],
        `round ${round}`,
      );
    }
    await network.del('c0');
    const shown = await host.ip('-4', 'address', 'show', 'dev', 'uplink');
    t.match(shown, [{ addr_info: [{ local: world.host4 }] }]);
  });
});
