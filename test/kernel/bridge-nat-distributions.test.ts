/** Networks that distributions ship (distributions.ts): absorbed plugins taken out, and left in place behind us. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { DISTRIBUTIONS, absorb, renamed } from './distributions.ts';
import { addChainMust, runChain, withoutType } from './harness-chain.ts';
import type { NetworkList } from './harness-chain.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { CniJson, Host } from './harness.ts';

const skip = lacking('iptables', 'ip6tables') ?? false;
const EXAMPLES = new URL('../../schemas/examples/', import.meta.url);

const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
const bandwidth = { ingressRate: 80_000_000, ingressBurst: 800_000 };
const runtimeConfig = { portMappings, bandwidth };

/** ADD, traffic, CHECK where the version has it, DEL; afterwards nobody holds an interface or rule of it. */
async function lives(t: Test, host: Host, list: NetworkList, name: string): Promise<void> {
  const place = await host.container(name);
  const call = { containerId: name, ifname: 'eth0', netns: place.netnsPath, runtimeConfig };
  const result: CniJson = await addChainMust(host, list, call);
  await serve(place, 'tcp', 80, { name });
  const [own] = list.plugins;
  if (own?.['ipMasq'] === true)
    t.ok(await ask(place, 'tcp', world.internet4, 80), `${name} reaches the world`);
  const publishes = list.plugins.some(({ capabilities }) => capabilities?.['portMappings'] === true);
  if (publishes)
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: name }, `${name} is published`);
  // The reference's portmap 1.1.1 looks for IPv4 rules among the IPv6 ones when it has published both.
  if (list.cniVersion !== '0.3.0') await runChain(host, 'CHECK', withoutType(list, 'portmap'), call, result);
  await runChain(host, 'DEL', list, call, result);
  const left = (await host.ip('link')).map(({ ifname }) => ifname);
  t.same(left, ['lo', world.uplink], `${name}: no interface is left`);
  await host.removeContainer(name);
}

t.test('every example is the original after that one change', async (t) => {
  for (const { example, list } of DISTRIBUTIONS) {
    const written = JSON.parse(readFileSync(new URL(example, EXAMPLES), 'utf8')) as object;
    t.match(written, absorb(list), example);
  }
});

for (const { example, list } of DISTRIBUTIONS) {
  t.test(example, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await serve(host.outside, 'tcp', 80);
      await lives(t, host, absorb(list), 'absorbed');
      await lives(t, host, renamed(list), 'chained');
    });
  });
}
