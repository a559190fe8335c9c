/** macvlan-v6 with addresses by router advertisements, as the container, the router and a peer see them. */
import t from 'tap';
import { Lan, lanWorld } from './lan.ts';
import { withHost } from './harness.ts';
import { Network } from './moorings.ts';

export const SLAAC = { type: 'macvlan-v6', name: 'lan', master: lanWorld.master };

t.test('an address by what the router says', async (t) => {
  await withHost(t, async (host) => {
    const lan = await Lan.open(host);
    const router = await lan.router();
    await router.radvd();
    const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64'] });
    const network = new Network(host, SLAAC);
    const { place, result, ip6 } = await network.container('c1');
    t.comment(JSON.stringify(result));
    t.comment(await place.shell('ip -6 a; ip -6 r'));
    await peer.place.must(['ping', '-c1', '-W2', ip6]);
    t.equal(await network.check('c1', result), undefined);
    await network.del('c1');
    t.comment(await place.shell('ip link'));
  });
});
