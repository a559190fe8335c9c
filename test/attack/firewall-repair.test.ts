/**
 * Somebody has taken netmoor's nftables tables apart: the next ADD gives everybody back what he had, whatever store he
 * is in.
 */
import t from 'tap';
import { ask, lacking, serve, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';
import { naming } from '../naming.ts';
import { callFor, must, run, stopped } from './attack-bed.ts';

const skip = lacking() ?? false;
const silence = { deadlineMs: 400 };

const port = (hostPort: number) => ({ ports: [{ hostPort, containerPort: 80 }] });

/** Whether the world reaches a published port, and the container the world. */
async function served(host: Host, place: Place, hostPort: number, options = {}): Promise<boolean[]> {
  return [
    (await ask(host.outside, 'tcp', world.host4, hostPort, options)) !== undefined,
    (await ask(place, 'tcp', world.internet4, 80, options)) !== undefined,
  ];
}

for (const [what, command] of [
  ['the table flushed', 'nft flush table inet netmoor'],
  ['a chain flushed', 'nft flush chain inet netmoor postrouting\nnft flush chain inet netmoor publish'],
  ['sets flushed', 'nft flush set inet netmoor masq4\nnft flush map inet netmoor publish4'],
  ['the table dormant', "nft add table inet netmoor '{ flags dormant; }'"],
] as const) {
  t.test(`${what}: CHECK complains, and its advice helps`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const network = new Network(host, DUAL_STACK);
      await serve(host.outside, 'tcp', 80);
      const c1 = await network.container('c1', port(8080));
      await serve(c1.place, 'tcp', 80);
      t.same(await served(host, c1.place, 8080), [true, true]);
      await host.shell(command);
      t.same(await served(host, c1.place, 8080, silence), [false, false], 'all is lost');
      t.match(await network.check('c1', c1.result, port(8080)), naming('nftables'));
      const c2 = await network.container('c2');
      t.same(await served(host, c1.place, 8080), [true, true], 'the next one to come repairs it for all');
      t.equal(await network.check('c1', c1.result, port(8080)), undefined);
      await network.del('c1');
      t.equal(await network.check('c2', c2.result), undefined);
    });
  });
}

for (const [what, command] of [
  ['the tables deleted', 'nft flush ruleset'],
  ['the table flushed', 'nft flush table inet netmoor'],
] as const) {
  t.test(`${what}: containers of another store`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await serve(host.outside, 'tcp', 80);
      const usual = new Network(host, DUAL_STACK);
      const far = new Network(host, {
        name: 'far',
        ingressPolicy: 'isolated',
        ipam: { subnet: '10.88.0.0/24', dataDir: '/opt/leases' },
      });
      const c1 = await usual.container('c1', port(8080));
      const c2 = await far.container('c2', port(9090));
      await serve(c1.place, 'tcp', 80);
      await serve(c2.place, 'tcp', 80);
      await host.shell(command);
      await usual.container('c3');
      t.same(await served(host, c1.place, 8080), [true, true]);
      t.same(await served(host, c2.place, 9090), [true, true], 'of the store elsewhere');
      t.equal(await far.check('c2', c2.result, port(9090)), undefined);
      await host.shell(command);
      await far.container('c4');
      t.same(await served(host, c1.place, 8080), [true, true], 'of the usual store');
      t.equal(await usual.check('c1', c1.result, port(8080)), undefined);
    });
  });
}

t.test('containers of a store that cannot be read keep what the kernel has', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await serve(host.outside, 'tcp', 80);
    const usual = new Network(host, DUAL_STACK);
    const far = new Network(host, { name: 'far', ipam: { subnet: '10.88.0.0/24', dataDir: '/opt/leases' } });
    await usual.container('c1');
    const c2 = await far.container('c2', port(9090));
    await serve(c2.place, 'tcp', 80);
    await host.shell('rm /opt/leases/*\necho rubbish > /opt/leases/leases.db\nnft flush table inet netmoor');
    await usual.container('c3');
    t.same(await served(host, c2.place, 9090), [true, true]);
  });
});

t.test(
  'tables deleted under an ADD that has written its rules, and built anew by another',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      await host.container('c1');
      await host.container('c2');
      const call = callFor('c1', {
        runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] },
      });
      const result = await stopped(host, 'ADD', call, 'attach: rules written', async (first) => {
        await host.must(['nft', 'flush', 'ruleset']);
        await must(host, 'ADD', callFor('c2'));
        const { code, json } = await first.resume();
        t.equal(code, 0);
        return json ?? {};
      });
      const config = { ...(call.config as object), prevResult: result };
      t.match(await run(host, 'CHECK', { ...call, config }), { code: 0 }, 'its rules are there');
    });
  },
);
