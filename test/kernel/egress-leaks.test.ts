/**
 * A network that leaves by a VPN alone (openvpn over tun): nothing of it ever appears on the real uplink, whatever
 * happens to the tunnel, the rules or the routes, from before the first container to after the last.
 */
import t from 'tap';
import { Meter, STRICT, VPN, tryEverything, untilOut, vpn, vpnServer } from './egress-bed.ts';
import { Conversation, ask, lacking, serve, until, withHost, world } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { naming } from '../naming.ts';
import { sendAdvertisement } from './router.ts';

const skip = lacking() ?? false;

const CONFIG = {
  ...DUAL_STACK,
  name: 'vpn',
  egress: { interface: ['wg0', 'tun*'] },
  dns: { nameservers: [VPN.far4] },
};
const GATEWAYS = ['10.77.0.1', 'fd00:77::1'] as const;
const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];

t.test('nothing leaves by the uplink', { skip, timeout: 120_000 }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const meter = await Meter.install(host);
      await vpnServer(host);
      await serve(host.outside, 'udp', 7000, { name: 'internet', address: world.internet4 });
      await serve(host.outside, 'udp', 7000, { name: 'internet6', address: world.internet6 });
      const network = new Network(host, CONFIG);
      const before = await host.shell('ip rule; ip -6 rule; ip route; ip -6 route');
      const { place, result } = await network.container('c1', { ports: PORTS });
      const nothing = async (when: string): Promise<void> => {
        await tryEverything(place, ...GATEWAYS);
        t.equal(await meter.read(), 'nothing', when);
      };
      await nothing('before there is a tunnel');
      t.match(await network.check('c1', result, { ports: PORTS }), naming('wg0', 'tun*', 'nothing leaks'));

      let tunnel = await vpn(host);
      await network.container('c2');
      await untilOut(place, 'way out by the tunnel, which the next ADD finds');
      t.match(await ask(place, 'udp', world.internet4, 7000), { from: 'internet', peer: VPN.host4 });
      t.match(await ask(place, 'udp', world.internet6, 7000), { from: 'internet6', peer: VPN.host6 });
      t.equal(await network.check('c1', result, { ports: PORTS }), undefined);
      await nothing('by the tunnel');
    },
    STRICT,
  );
});
