/** Our own client asks our own server: a container of another plugin on a bridge that bridge-nat serves. */
import t from 'tap';
import { withHost } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { skip } from './dhcp-lan.ts';
import { LAB, leased } from './guests.ts';
import { LeasedNetwork } from './lease-bed.ts';

t.setTimeout(120_000);

t.test('dhcp-ipam under the reference bridge, on a bridge that is served', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lab = new Network(host, LAB);
    const { ip4: other } = await lab.container('c1');
    const guests = new LeasedNetwork(host, 'bridge', {}, { bridge: 'nm-lab' });
    const boat = await guests.moor('boat');
    t.match(boat.ip4, /^10\.77\.0\.\d+$/);
    t.not(boat.ip4, other);
    t.ok(Object.values(await leased(host)).includes(`${boat.ip4}/24`), 'one plan of addresses');
    t.match(boat.result.ips, [{ gateway: '10.77.0.1' }]);
    await boat.place.must(['ping', '-c1', '-W2', other]);
    const { code } = await guests.check(boat);
    t.equal(code, 0);
    await guests.del('boat');
    await lab.del('c1');
  });
});
