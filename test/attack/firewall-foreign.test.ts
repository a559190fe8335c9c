/** A bridge with a LAN behind it, as a person makes it: the LAN's router stays the router. */
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

/** The reference's example of such a network: `gateway` names the LAN's router, isGateway is left out. */
const LAN = {
  bridge: 'lan0',
  ipam: { ranges: [[{ subnet: '192.168.77.0/24', rangeStart: '192.168.77.100', gateway: '192.168.77.1' }]] },
};
const LAN6 = {
  ipam: { ranges: [[{ subnet: 'fd00:77::/64', rangeStart: 'fd00:77::100', gateway: 'fd00:77::1' }]] },
};

/** A LAN on the bridge lan0: its router at .1 and a machine at .9, each a port of the bridge. */
async function lan(host: Host): Promise<{ router: Place; machine: Place }> {
  await host.shell('ip link add lan0 type bridge\nip link set lan0 up');
  const plug = async (name: string, last: number): Promise<Place> => {
    const place = await host.container(name);
    await host.shell(`
      ip link add port${last} type veth peer name eth0 netns ${name}
      ip link set port${last} master lan0 up
      ip netns exec ${name} sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad'
      ip -n ${name} link set eth0 up
      ip -n ${name} address add 192.168.77.${last}/24 dev eth0
      ip -n ${name} address add fd00:77::${last}/64 dev eth0 nodad`);
    return place;
  };
  return { router: await plug('router', 1), machine: await plug('machine', 9) };
}

const macOf = async (place: Place, name: string) => (await place.ip('link', 'show', name))[0]?.address;

t.test("the LAN's router stays who it is", { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { router, machine } = await lan(host);
    const network = new Network(host, LAN);
    const c1 = await network.container('c1');
    t.match(c1.result.ips, [{ address: '192.168.77.100/24', gateway: '192.168.77.1' }]);
    const addresses = await host.must(['ip', '-4', 'address', 'show', 'dev', 'lan0']);
    t.equal(addresses, '', 'the bridge has taken no address');
    for (const place of [machine, c1.place]) {
      await place.must(['ping', '-c', '1', '192.168.77.1']);
      const [entry] = await place.ip('neighbour', 'show', '192.168.77.1');
      t.equal(entry?.['lladdr'], await macOf(router, 'eth0'), 'it resolves to the router');
    }
    t.notMatch(await host.must(['nft', 'list', 'set', 'inet', 'netmoor', 'masq4']), /192\.168/, 'no NAT');
    t.equal(await network.check('c1', c1.result), undefined);
  });
});

for (const [family, keys, gateway] of [
  ['IPv4', {}, '192.168.77.1'],
  ['IPv6', LAN6, 'fd00:77::1'],
] as const) {
  t.test(`isGateway said, and the address taken: ${family}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const { router, machine } = await lan(host);
      const network = new Network(host, { ...LAN, ...keys, isGateway: true });
      await host.container('c1');
      const refused = await network.run('ADD', 'c1');
      const holder = String(await macOf(router, 'eth0'));
      t.match(refused, { code: 1, json: { code: 101, msg: naming(gateway, holder) } }, 'its holder is named');
      t.notMatch(await host.must(['ip', 'address', 'show', 'dev', 'lan0']), new RegExp(gateway));
      t.notMatch(await host.must(['ip', 'link']), /nmv/, 'nothing is left');

      await router.must(['ip', 'link', 'set', 'eth0', 'down']);
      const c1 = await network.add('c1');
      t.equal(c1.ips?.[0]?.gateway, gateway, 'when nobody answers it is ours');
      await machine.must(['ping', '-c', '1', gateway]);
      t.match(await host.must(['ip', 'address', 'show', 'dev', 'lan0']), new RegExp(gateway));
    });
  });
}

t.test('a bridge of ours, with somebody plugged in who has the gateway', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { name: 'kept', ...LAN, bridge: 'kept0', keepBridge: true });
    await network.container('c1');
    await network.del('c1');
    await host.shell(`
      ip address flush dev kept0
      ip netns add vm
      ip link add tap0 type veth peer name eth0 netns vm
      ip link set tap0 master kept0 up
      ip -n vm link set eth0 up
      ip -n vm address add 192.168.77.1/24 dev eth0`);
    await host.container('c2');
    const refused = await network.run('ADD', 'c2');
    t.match(refused, { code: 1, json: { code: 101, msg: naming('192.168.77.1') } });
  });
});
