/**
 * What cannot work is refused before it happens, naming whose it is: a port of a service of the host, a subnet of
 * another network or of the host's own, a gateway that cannot be reached.
 */
import t from 'tap';
import { ask, lacking, serve, without, withHost, world } from './harness.ts';
import type { CniAnswer, CniJson, Host, Snapshot } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import type { PortMapping, Wish } from './moorings.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const ONLY4 = { ipam: { subnet: '10.77.0.0/24' } };

async function dump(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /\/netmoor/ }), 'processes');
}

/** An ADD that is refused leaves nothing behind. */
async function refused(network: Network, name: string, wish: Wish = {}): Promise<CniJson> {
  const { host } = network;
  await host.container(name);
  const before = await dump(host);
  const answer: CniAnswer = await network.run('ADD', name, wish);
  if (answer.code === 0) throw new Error(`ADD ${name} was not refused: ${answer.stdout}`);
  const after = await dump(host);
  if (JSON.stringify(after) !== JSON.stringify(before)) throw new Error(`ADD ${name} left something behind`);
  return answer.json ?? {};
}

function publish(hostPort: number, more: Partial<PortMapping> = {}): Wish {
  return { ports: [{ hostPort, containerPort: 80, ...more }] };
}

t.test('ports that services of the host have', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const both = new Network(host, DUAL_STACK);
    const only4 = new Network(host, { ...ONLY4, name: 'dock', bridge: 'dock', ipam: { subnet: '10.78.0.0/24' } });
    await serve(host, 'tcp', 2222);
    await serve(host, 'tcp', 2223, { address: '127.0.0.1' });
    await serve(host, 'udp', 2224);
    await serve(host, 'tcp', 2225, { address: '::' });
    await serve(host, 'tcp', 2226, { address: '::1' });
    const dual = host.start(['socat', '-d', '-d', 'TCP6-LISTEN:2227,ipv6only=0,fork', 'SYSTEM:true']);
    await dual.until(() => dual.errors.includes('listening on'), 'the server of both families');
    const cases: readonly (readonly [Network, Wish, readonly string[] | undefined])[] = [
      [both, publish(2222), ['2222/tcp', '"socat"', '0.0.0.0:2222']],
      [both, publish(2200, { range: 50 }), ['2222/tcp']],
      [both, publish(2222, { hostIP: world.host4 }), ['2222/tcp', world.host4]],
      [both, publish(2222, { protocol: 'udp' }), undefined],
      [both, publish(2222, { hostIP: world.host6 }), undefined],
      [both, publish(2223), ['127.0.0.1:2223']],
      [both, publish(2223, { hostIP: world.host4 }), undefined],
      [both, publish(2224, { protocol: 'udp' }), ['2224/udp']],
      [both, publish(2225), ['[::]:2225']],
      [only4, publish(2225), undefined],
      [only4, publish(2226), undefined],
      [only4, publish(2227), ['[::]:2227']],
      [only4, publish(2227, { hostIP: '127.0.0.1' }), ['[::]:2227']],
    ];
    for (const [index, [network, wish, msg]] of cases.entries()) {
      const name = `c${index}`;
      if (msg === undefined) {
        await network.container(name, wish);
        await network.del(name, wish);
      } else t.match(await refused(network, name, wish), { code: 102, msg: naming(...msg), details: String }, name);
    }
    t.match((await refused(both, 'who', publish(2222))).msg, / process \d+ /, 'the process has a number');
    const server = await host.must(['ss', '-Hltnp', 'sport = :2223']);
    const pid = /pid=(\d+)/.exec(server)?.[1] ?? 'none';
    t.match((await refused(both, 'whose', publish(2223))).msg, ` ${pid} `, 'which is its own');
    t.match(await ask(host.outside, 'tcp', world.host4, 2222), { from: 'host' }, 'and nobody took anything');
  });
});
