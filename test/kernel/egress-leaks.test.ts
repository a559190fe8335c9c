/**
 * A network that leaves by a VPN alone (openvpn over tun): nothing of it ever appears on the real uplink, whatever
 * happens to the tunnel, the rules or the routes, from before the first container to after the last.
 */
import t from 'tap';
import { Meter, STRICT, VPN, tryEverything, untilOut, vpn, vpnServer } from './egress-bed.ts';
import { Conversation, ask, lacking, serve, until, withHost, world } from './harness.ts';
import type { Host, Place } from './harness.ts';
import type { Background } from './harness-process.ts';
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
const ROUTING =
  'ip rule; ip -6 rule; ip route show table all proto 109; ip -6 route show table all proto 109';

/** Without a tunnel device: openvpn takes its own along. */
async function untilGone(host: Host): Promise<void> {
  await until(async () => !(await host.shell('ip -br link')).includes('tun0'), 'end of tun0');
}

/** A connection from the container to the world that stays open. */
async function echoing(outside: Place, place: Place): Promise<Background> {
  const listen = `TCP-LISTEN:7001,bind=${world.internet4},reuseaddr`;
  const server = outside.start(['socat', '-d', '-d', listen, 'EXEC:cat']);
  await server.until(() => /listening on/.test(server.errors), 'server that echoes');
  const stream = place.start(['socat', 'STDIO', `TCP:${world.internet4}:7001`]);
  stream.write('words\n');
  await stream.until(() => stream.output.includes('words'), 'echo');
  return stream;
}

t.test('nothing leaves by the uplink', { skip, timeout: 120_000 }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const meter = await Meter.install(host);
      await vpnServer(host);
      for (const address of [world.internet4, world.internet6])
        await serve(host.outside, 'udp', 7000, { name: 'internet', address });
      const network = new Network(host, CONFIG);
      const before = await host.shell(ROUTING);
      const { place, result } = await network.container('c1', { ports: PORTS });
      await serve(place, 'tcp', 80);
      await serve(host, 'udp', 53, { name: 'resolver' });
      const wish = { ports: PORTS };
      const nothing = async (when: string): Promise<void> => {
        await tryEverything(place, ...GATEWAYS);
        t.equal(await meter.read(), 'nothing', when);
      };
      const ways = async (): Promise<unknown> => [
        (await ask(place, 'udp', world.internet4, 7000))?.peer,
        (await ask(place, 'udp', world.internet6, 7000))?.peer,
      ];
      await nothing('before there is a tunnel');
      t.match(await network.check('c1', result, wish), naming('wg0', 'tun*', 'nothing leaks'));

      let tunnel = await vpn(host);
      await network.container('c2');
      await untilOut(place, 'way out by the tunnel, which the next ADD finds');
      t.strictSame(await ways(), [VPN.host4, VPN.host6]);
      t.equal(await network.check('c1', result, wish), undefined);
      await nothing('by the tunnel');
      t.equal(
        await ask(place, 'udp', GATEWAYS[0], 53, { deadlineMs: 300 }),
        undefined,
        'the host is guarded',
      );

      await sendAdvertisement(host.outside, 'wire', { highPreference: true });
      const heard = async () => (await host.shell('ip -6 route show default')).includes('proto ra');
      await until(heard, 'default route of the advertisement');
      t.strictSame(await ways(), [VPN.host4, VPN.host6], 'routers on the uplink are nothing to the network');

      t.match(await ask(host, 'tcp', world.host4, 8080), { from: 'c1' }, 'the host reaches published ports');
      t.match(
        await ask(host.outside, 'tcp', VPN.host4, 8080),
        { from: 'c1' },
        'and so does who is behind the VPN',
      );
      const c2 = host.at('/run/netns/c2', 'c2');
      t.match(await ask(c2, 'tcp', world.host4, 8080), { from: 'c1' }, 'and a neighbour');
      t.match(await ask(c2, 'tcp', '10.77.0.2', 80), { from: 'c1' }, 'whom nobody keeps from the bridge');
      await meter.reset();
      const [published] = await Promise.all([
        ask(host.outside, 'tcp', world.host4, 8080, { deadlineMs: 500 }),
        ask(host.outside, 'udp', world.host4, 8080, { deadlineMs: 100 }),
      ]);
      t.equal(published, undefined, 'who comes by the uplink is not answered');
      t.notMatch(await meter.read(), /10\.77|198\.51/, 'not by anybody');
      await meter.reset();

      const flow = new Conversation(place, 'udp', world.internet4, 7000);
      t.match(await flow.ask(), { from: 'internet' });
      const stream = await echoing(host.outside, place);
      await host.must(['ip', 'link', 'set', 'tun0', 'down']);
      t.equal(await flow.ask(200), undefined, 'a flow ends with the tunnel');
      stream.write('more\n');
      await flow.close();
      await nothing('tunnel down');
      t.notMatch(stream.output, /more/, 'and so does a connection');
      await stream.stop();
      t.match(await network.check('c1', result, wish), naming('tun0', 'down', 'nothing leaks'));
      await tunnel.stop();
      await untilGone(host);
      await nothing('tunnel gone');

      await host.must(['nft', 'flush', 'ruleset']);
      await nothing('nftables rules flushed: nothing is routed');
      tunnel = await vpn(host);
      await network.container('c3');
      await untilOut(place, 'way out by the tunnel that is back');
      t.equal(await network.check('c1', result, wish), undefined, 'the next ADD has put all back');
      await nothing('tunnel back');

      await host.shell(
        'ip rule flush; ip -6 rule flush; ip rule add lookup main pref 32766; ip -6 rule add lookup main pref 32766',
      );
      await nothing('routing rules flushed: nothing passes nftables');
      t.match(await network.check('c1', result, wish), naming('nm-vpn lookup', 'missing'));
      await host.removeContainer('c3');
      await network.del('c3');
      await network.container('c3');
      t.equal(await network.check('c1', result, wish), undefined, 'the next ADD has put all back');
      const [rule] = await host.ip('rule', 'show', 'iif', 'nm-vpn');
      await host.shell(`ip route add 198.51.100.0/24 via ${world.router4} table ${String(rule?.['table'])}`);
      await nothing('a route where none belongs');
      t.match(await network.check('c1', result, wish), naming('198.51.100.0/24', 'nobody promised'));
      await network.del('c3');
      for (const name of ['c2', 'c1']) await network.del(name, name === 'c1' ? wish : {});
      await tryEverything(place, ...GATEWAYS);
      t.equal(await meter.read(), 'nothing', 'after the last');
      t.equal(
        (await host.shell(ROUTING)).replaceAll(/^3276[67].*\n/gm, ''),
        before.replaceAll(/^3276[67].*\n/gm, ''),
        'neither rules nor routes are left',
      );
      await tunnel.stop();

      const open = new Network(host, { name: 'open' });
      await open.container('c9');
      await tryEverything(host.at('/run/netns/c9', 'c9'), ...GATEWAYS);
      t.match(await meter.read(), /packets[\s\S]*198\.51\.100\.1/, 'the meter would have seen it');
    },
    STRICT,
  );
});
