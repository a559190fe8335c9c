/**
 * A guest with a lease of `dhcpServer` on a network with a way out of its own: a machine plugged in leaves as the
 * containers do, and nowhere when they do not.
 */
import t from 'tap';
import { DhcpClient, udhcpc } from '../dhcp/clients.ts';
import { BRIDGE, LAB, guest, has } from '../dhcp/guests.ts';
import { Meter, STRICT, tryEverything } from './egress-bed.ts';
import { ask, lacking, serve, until, withHost, world } from './harness.ts';
import { Network } from './moorings.ts';

const skip = lacking('busybox') ?? false;
const GATEWAYS = ['10.77.0.1', 'fd00:77::1'] as const;
/** The engine looks the seldomer, the longer a look takes. */
const PATIENCE_MS = 30_000;
const FLUSH = `ip rule flush; ip rule add lookup main pref 32766
ip -6 rule flush; ip -6 rule add lookup main pref 32766`;
const WAY = '192.168.7.2';

t.test('a guest leaves by the one way alone', { skip, timeout: 120_000 }, async (t) => {
  await withHost(
    t,
    async (host) => {
      await host.shell(`ip link add eth7 type veth peer name far netns /run/harness/outside
ip link set eth7 up; ip address add ${WAY}/24 dev eth7; ip address add fd07::2/64 dev eth7 nodad
nsenter --net=/run/harness/outside sh -eu -c 'ip link set far up; ip address add 192.168.7.1/24 dev far
ip address add fd07::1/64 dev far nodad'`);
      const meter = await Meter.install(host);
      await serve(host.outside, 'udp', 7000, { name: 'internet', address: world.internet4 });
      const egress = { interface: 'eth7', via: ['192.168.7.1', 'fd07::1'] };
      const network = new Network(host, { ...LAB, egress });
      await network.container('c1');
      const place = await guest(host, 'boat');
      const client = await DhcpClient.start(host, place, udhcpc());
      await client.bound();
      await place.shell(
        `ip -6 address add fd00:77::50/64 dev eth0 nodad; ip -6 route add default via ${GATEWAYS[1]}`,
      );
      const peer = async () => (await ask(place, 'udp', world.internet4, 7000, { deadlineMs: 300 }))?.peer;
      const nothing = async (when: string): Promise<void> => {
        await tryEverything(place, ...GATEWAYS);
        t.equal(await meter.read(), 'nothing', when);
      };
      const held = async () =>
        (await host.run(['sh', '-c', 'nft list set inet netmoor egress; ip rule; ip -6 rule'])).stdout;
      const isHeld = async () => (await held()).match(/nm-lab/g)?.length === 4 || undefined;
      for (const who of ['beside a container', 'alone']) {
        t.equal(await peer(), WAY, `${who}, it leaves by the interface`);
        await nothing(who);
        await host.must(['ip', 'link', 'set', 'eth7', 'down']);
        t.equal(await peer(), undefined, `${who}, with the interface down, nowhere`);
        await nothing(`${who}, with the interface down`);
        if (who === 'alone') {
          await host.shell(`${FLUSH}; nft flush ruleset`);
          await until(isHeld, `both layers, which the engine puts back, alone`, PATIENCE_MS);
          await meter.reset();
          await nothing(`alone, after both were flushed`);
        }
        await host.shell('ip link set eth7 up; ip address add fd07::2/64 dev eth7 nodad');
        await until(async () => ((await peer()) === WAY ? true : undefined), `way out, ${who}`);
        if (who !== 'alone') await network.del('c1');
      }
      await client.release();
      await until(
        async () => !(await host.must(['nft', 'list', 'ruleset'])).includes('dhcp-') || undefined,
        'end of the lease',
      );
      await place.shell(`ip address replace 10.77.0.60/24 dev eth0; ip route replace default via ${GATEWAYS[0]}
ip -6 address replace fd00:77::60/64 dev eth0 nodad; ip -6 route replace default via ${GATEWAYS[1]}`);
      await host.must(['ip', 'link', 'set', 'eth7', 'down']);
      await nothing('without a lease, with addresses that it has taken');
      t.ok(await isHeld(), 'as long as it is plugged in');
      await host.shell(FLUSH);
      const ruled = async () => (await held()).match(/iif nm-lab/g)?.length === 2 || undefined;
      await until(ruled, 'rules of a bridge without a record, which the engine puts back', PATIENCE_MS);
      await host.must(['nft', 'flush', 'ruleset']);
      await nothing('by its routing alone');
      await host.must(['ip', 'link', 'delete', 'tap-boat']);
      await until(async () => !(await has(host, BRIDGE)) || undefined, 'end of the bridge', PATIENCE_MS);
      const left = async () =>
        /nm-lab|netmoor/.test(`${await held()}${await host.shell('nft list ruleset')}`);
      await until(async () => !(await left()) || undefined, 'end of both layers');
    },
    STRICT,
  );
});
