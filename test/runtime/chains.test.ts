/**
 * bridge-nat in company: other plugins after it, a second network beside it at the same time.
 */
import { t, test } from 'tap';
import { flavours, networks } from './flavours.ts';
import type { Flavour } from './flavours.ts';
import { lackingFor } from './lacking.ts';
import { stateOf, withForwardingHost } from './states.ts';
import { addressesOf, isNotPublished, isPublished, reachesOutside, serveAll } from './traffic.ts';
import { addChainMust, runChain, withoutType } from '../kernel/harness-chain.ts';
import type { NetworkList } from '../kernel/harness-chain.ts';

t.setTimeout(180_000);

const skip = lackingFor('socat', 'nft', 'iptables');

/** Files of the reference plugins' own. */
const REFERENCE_FILES = /^\S \/run\/(cni|firewalld)/;

const portMappings = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 5353, containerPort: 53, protocol: 'udp' },
];

/** The flavour's first plugin alone: whatever else is wanted comes from those after it. */
function first(flavour: Flavour): NetworkList['plugins'] {
  return flavour
    .plugins(networks.net1)
    .slice(0, 1)
    .map(({ type, capabilities: _, ...rest }) => ({ ...rest, type: String(type) }));
}

for (const flavour of flavours()) {
  test(`${flavour.name} followed by the reference's tuning and portmap`, { skip }, async (t) => {
    await withForwardingHost(t, async (host) => {
      await serveAll(host.outside);
      const tuning = { type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.arp_filter': '1' }, promisc: true };
      const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
      const list = { cniVersion: '1.0.0', name: 'net1', plugins: [...first(flavour), tuning, portmap] };
      const place = await host.container('c1');
      const call = {
        containerId: 'c1',
        ifname: 'eth0',
        netns: place.netnsPath,
        runtimeConfig: { portMappings },
      };

      const result = await addChainMust(host, list, call);
      await flavour.settled(host);
      await serveAll(place);
      await reachesOutside(t, place);
      await isPublished(t, host, 'c1');
      const [link] = await place.ip('link', 'show', 'dev', 'eth0');
      t.ok(link?.flags?.includes('PROMISC'), 'tuning had its say');
      t.equal(await place.must(['cat', '/proc/sys/net/ipv4/conf/eth0/arp_filter']), '1\n');
      // The reference's portmap 1.1.1 looks for IPv4 rules among the IPv6 ones when it has published both.
      await runChain(host, 'CHECK', withoutType(list, 'portmap'), call, result);

      await runChain(host, 'DEL', list, call, result);
      await isNotPublished(t, host);
      t.equal(await flavour.held(host), 0, 'no address is held');
      t.same(
        (await place.ip('link', 'show')).map((each) => each.ifname),
        ['lo'],
      );
      t.notOk(
        (await host.ip('link', 'show')).some((each) => each.ifname?.startsWith('veth')),
        'no host end is left',
      );
    });
  });

  test(`${flavour.name}: two networks and loopback attached to one container in parallel`, {
    skip,
  }, async (t) => {
    await withForwardingHost(t, async (host) => {
      await serveAll(host.outside);
      const before = await stateOf(host, REFERENCE_FILES);
      const place = await host.container('c1');
      const lists: [string, NetworkList][] = [
        ['lo', { cniVersion: '0.3.1', name: 'cni-loopback', plugins: [{ type: 'loopback' }] }],
        ['eth0', { cniVersion: '1.0.0', name: 'net1', plugins: flavour.plugins(networks.net1) }],
        ['eth1', { cniVersion: '1.0.0', name: 'net2', plugins: flavour.plugins(networks.net2).slice(0, 1) }],
      ];
      const callOf = (ifname: string) => ({ containerId: 'c1', ifname, netns: place.netnsPath });
      const results = await Promise.all(
        lists.map(([ifname, list]) => addChainMust(host, list, callOf(ifname))),
      );

      t.match(await addressesOf(place, 'eth0'), [/^10\.71\.0\.\d+\/24$/, /^fd71::[0-9a-f]+\/64$/]);
      t.match(await addressesOf(place, 'eth1'), [/^10\.72\.0\.\d+\/24$/, /^fd72::[0-9a-f]+\/64$/]);
      await flavour.settled(host);
      await reachesOutside(t, place);
      for (const [i, [ifname, list]] of lists.entries())
        await runChain(host, 'DEL', list, callOf(ifname), results[i]);
      t.equal(await flavour.held(host), 0, 'no address is held');
      await host.removeContainer('c1');
      if (flavour.exact) t.same(await stateOf(host, REFERENCE_FILES), before, 'everything is as before');
    });
  });
}
