/** Whom an ADD tells of the container's addresses: nobody of those that nobody can know, everybody of all others. */
import t from 'tap';
import { lacking, until, withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';
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

/** c1, who has spoken with a former holder of 10.77.0.`last`; what it hears from now on. */
async function remembering(network: Network, last: number): Promise<() => string[]> {
  const { place } = await network.container('c1');
  const names = Array.from({ length: last - 2 }, (_, index) => `former${index}`);
  for (const name of names) await network.container(name);
  await place.must(['ping', '-q', '-c', '1', `10.77.0.${last}`]);
  for (const name of names) await network.run('DEL', name);
  return announced(place);
}

t.test('a store that was lost knows of nobody, and its containers do', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, NETWORK);
    const heard = await remembering(network, 4);
    await host.shell('rm /var/lib/cni/netmoor/leases.db*');
    await network.container('c2');
    const { ip4 } = await network.container('c3');
    t.equal(ip4, '10.77.0.4', 'the very address');
    await until(() => heard().includes(ip4), 'the announcement');
  });
});

/** Somebody whom netmoor does not know has the address for a while. */
async function stranger(
  host: Host,
  neighbour: Place,
  address: string,
  during: () => Promise<void>,
): Promise<void> {
  await host.shell(`ip netns add stranger
    ip link add tap0 type veth peer name eth0 netns stranger
    ip link set tap0 master quay up
    ip -n stranger address add ${address}/29 dev eth0
    ip -n stranger link set eth0 up`);
  await neighbour.must(['ping', '-q', '-c', '1', '-w', '10', address]);
  await during();
  await host.shell('ip link del tap0; ip netns del stranger');
}

t.test('a stranger who is gone by now is remembered', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, NETWORK);
    const { place } = await network.container('c1');
    await stranger(host, place, '10.77.0.4', async () => void (await network.container('c2')));
    const heard = await announced(place);
    const { ip4 } = await network.container('c3');
    t.equal(ip4, '10.77.0.4', 'the very address');
    await until(() => heard().includes(ip4), 'the announcement');
  });
});

t.test('what another IPAM plugin has given out on the bridge is remembered', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, NETWORK);
    const ranges = [[{ subnet: '10.77.0.0/29', rangeStart: '10.77.0.4' }]];
    const before = new Network(host, {
      ...NETWORK,
      cniVersion: '1.0.0',
      ipam: { type: 'host-local', ranges },
    });
    const { place } = await network.container('c1');
    const former = await before.container('c2');
    t.equal(former.ip4, '10.77.0.4');
    await place.must(['ping', '-q', '-c', '1', former.ip4]);
    await before.del('c2');
    const heard = await announced(place);
    await network.container('c3');
    const { ip4 } = await network.container('c4');
    t.equal(ip4, former.ip4, 'the very address');
    await until(() => heard().includes(ip4), 'the announcement');
  });
});

t.test('whoever is behind a member that comes with the container hears of it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await host.container('lan');
    await host.shell(`ip link add spare type veth peer name eth0 netns lan
      ip link set spare up
      ip -n lan link set eth0 up`);
    const alone = new Network(host, NETWORK);
    await alone.container('c1');
    const heard = await announced(lan);
    const members = [{ interface: 'spare', moveAddresses: false }];
    const { ip4 } = await new Network(host, { ...NETWORK, members }).container('c2');
    await until(() => heard().includes(ip4), 'the announcement');
  });
});

t.test('what another store has given out is remembered when that is gone', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, NETWORK);
    const other = new Network(host, { ...NETWORK, ipam: { ...NETWORK.ipam, dataDir: '/run/other' } });
    const { place } = await network.container('c1');
    const { ip4 } = await other.container('c2', { ips: ['10.77.0.4'] });
    await place.must(['ping', '-q', '-c', '1', ip4]);
    await other.del('c2');
    await host.shell('rm -r /run/other');
    const heard = await announced(place);
    await network.container('c3');
    t.equal((await network.container('c4')).ip4, ip4, 'the very address');
    await until(() => heard().includes(ip4), 'the announcement');
  });
});
