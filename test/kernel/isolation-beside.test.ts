/**
 * The column of the reference's plugins in SECURITY.md: what a container of theirs does unhindered, and what their
 * options take away, tried with the plugins that are installed.
 */
import t from 'tap';
import { addChainMust } from './harness-chain.ts';
import type { NetworkList, PluginConfig } from './harness-chain.ts';
import { ask, lacking, serve, until, withHost, world } from './harness.ts';
import type { Host, Place } from './harness.ts';

const skip = lacking('iptables', 'ip6tables', 'socat') ?? false;
const silence = { deadlineMs: 300 };
const PORTMAP: PluginConfig = { type: 'portmap', capabilities: { portMappings: true } };
const SAME_BRIDGE: PluginConfig = { type: 'firewall', ingressPolicy: 'same-bridge' };

function network(number: number, ...behind: PluginConfig[]): NetworkList {
  const ranges = [[{ subnet: `10.7${number}.0.0/24` }], [{ subnet: `fd00:7${number}::/64` }]];
  const routes = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];
  const bridge = { type: 'bridge', bridge: `ref${number}`, isGateway: true, ipMasq: true };
  return {
    cniVersion: '1.0.0',
    name: `ref${number}`,
    plugins: [{ ...bridge, ipam: { type: 'host-local', ranges, routes } }, ...behind],
  };
}

async function attach(host: Host, list: NetworkList, name: string, hostPort?: number): Promise<Place> {
  const place = await host.container(name);
  const portMappings = hostPort === undefined ? [] : [{ hostPort, containerPort: 80, protocol: 'tcp' }];
  await addChainMust(host, list, {
    ...{ containerId: name, ifname: 'eth0', netns: place.netnsPath },
    runtimeConfig: { portMappings },
  });
  await serve(place, 'tcp', 80);
  await serve(place, 'tcp', 80, { address: '::' });
  return place;
}

/** Whether TCP gets through, in IPv4 and in IPv6. */
async function reaches(from: Place, to: readonly string[], port = 80): Promise<boolean[]> {
  const answers = [];
  for (const address of to) answers.push((await ask(from, 'tcp', address, port, silence)) !== undefined);
  return answers;
}

const YES = [true, true];
const NO = [false, false];
const of = (number: number, last: number) => [`10.7${number}.0.${last}`, `fd00:7${number}::${last}`];

t.test('who reaches whom with the reference’s plugins', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const one = await attach(host, network(1), 'c1');
    await attach(host, network(1), 'c2');
    await attach(host, network(2), 'c3');
    const apart = await attach(host, network(3, SAME_BRIDGE), 'c4');
    await attach(host, network(4, SAME_BRIDGE), 'c5');
    await serve(host, 'tcp', 9000);
    await serve(host, 'tcp', 9000, { address: '::' });
    await host.outside.shell(
      [2, 3]
        .map(
          (number) => `ip route add 10.7${number}.0.0/24 via ${world.host4}
            ip route add fd00:7${number}::/64 via ${world.host6}`,
        )
        .join('\n'),
    );
    // Bridges of the reference look for duplicates of their own addresses at first, and forward no IPv6 meanwhile.
    for (const number of [2, 3, 4])
      await until(async () => (await reaches(one, of(number, 2)))[1], `IPv6 to network ${number}`);
    t.same(await reaches(one, of(2, 2)), YES, 'containers of other networks');
    t.same(await reaches(one, of(1, 3)), YES, 'neighbours');
    t.same(await reaches(one, of(1, 1), 9000), YES, 'services of the host');
    t.same(await reaches(host.outside, of(2, 2)), YES, 'from outside, where the host forwards');
    t.same(await reaches(apart, of(4, 2)), NO, 'ingressPolicy, of two networks that have it');
    t.same(await reaches(one, of(3, 2)), YES, 'ingressPolicy, from one that has it not');
    t.same(await reaches(host.outside, of(3, 2)), YES, 'ingressPolicy, from outside');
  });
});

t.test('the host’s 127.0.0.1 with the reference’s portmap', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const sly = await attach(host, network(1, PORTMAP), 'c1', 8080);
    await sly.shell(`ip route delete table local local 127.0.0.0/8 dev lo
      ip route delete table local local 127.0.0.1 dev lo
      ip route add 127.0.0.1 via 10.71.0.1 src 10.71.0.2`);
    const secret = host.start(['socat', '-d', '-d', '-u', 'UDP4-RECV:9000,bind=127.0.0.1', 'STDOUT']);
    await secret.until(() => secret.errors.includes('starting data transfer'), 'the service on 127.0.0.1');
    await sly.must(['socat', '-u', 'STDIN', 'UDP4-SENDTO:127.0.0.1:9000'], { input: 'heard' });
    await secret.until(() => secret.output === 'heard', 'what the container says');
    t.pass('while a port is published there');
  });
});
