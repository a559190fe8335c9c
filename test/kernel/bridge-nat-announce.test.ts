/** Whom an ADD tells of the container's addresses: nobody of those that nobody can know, everybody of all others. */
import t from 'tap';
import { lacking, until, withHost } from './harness.ts';
import type { Place } from './harness.ts';
import { Network } from './moorings.ts';

const skip = lacking('tcpdump') ?? false;

const NETWORK = { bridge: 'quay', isGateway: true, ipam: { ranges: [[{ subnet: '10.77.0.0/29' }]] } };

/** Addresses that are announced by ARP from now on (RFC 5227, section 3), as `place` hears it. */
async function announced(place: Place): Promise<() => string[]> {
  const ear = place.start(['tcpdump', '-lnpi', 'eth0', 'arp']);
  await ear.until(() => ear.errors.includes('listening'), 'tcpdump');
  return () => [...ear.output.matchAll(/who-has (\S+) tell \1,/g)].map(([, address = '']) => address);
}

/** What `place` has in its neighbour table for the address. */
async function known(place: Place, address: string): Promise<unknown> {
  return (await place.ip('neigh', 'show', address))[0]?.['lladdr'];
}

t.test('who remembers another holder of an address hears of the next one', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, NETWORK);
    const neighbour = await network.container('c1');
    const heard = await announced(neighbour.place);
    const former = await network.container('c2');
    t.equal(former.ip4, '10.77.0.3');
    await neighbour.place.must(['ping', '-q', '-c', '1', former.ip4]);
    const before = await known(neighbour.place, former.ip4);
    t.type(before, 'string');
    await network.run('DEL', 'c2');
    for (const name of ['c3', 'c4', 'c5']) await network.container(name);
    const asked = await network.container('c6', { ips: ['10.77.0.3'] });
    t.equal(asked.ip4, former.ip4, 'the very address');
    await until(async () => {
      const now = await known(neighbour.place, former.ip4);
      return now !== before && now !== undefined;
    }, 'the neighbour knows better');
    await until(() => heard().includes('10.77.0.3'), 'the announcement');
    t.same(heard(), ['10.77.0.3'], 'of none of the others');
    await network.run('DEL', 'c6');
    const next = await network.container('c7');
    await until(() => heard().length > 1, 'round again, it is announced without being asked for');
    t.same(heard(), ['10.77.0.3', next.ip4]);
  });
});
