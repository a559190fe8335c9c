/**
 * IPv6 in networks that have none: a neighbour that plays router, and the host's services behind its link-local
 * address.
 */
import t from 'tap';
import { ask, lacking, serve, withHost } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';
import { advertise, advertisedRoutes, linkLocal } from '../kernel/rogue-router.ts';

const skip = lacking() ?? false;
const silence = { deadlineMs: 400 };
const ONLY4 = { ipam: { subnet: '10.77.0.0/24' } };

for (const [what, config] of [
  ['IPv4 alone', ONLY4],
  ['both families', DUAL_STACK],
] as const) {
  t.test(`a neighbour that advertises itself as the router: ${what}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      // By default its frames do not even arrive (test/kernel/isolation-frames.test.ts).
      const network = new Network(host, { ...config, allowServers: true });
      const victim = await network.container('victim');
      const rogue = await network.container('rogue');
      await linkLocal(victim.place, 'eth0');
      await advertise(rogue.place, victim.place, 'eth0');
      t.equal(await advertisedRoutes(victim.place), '', 'the victim believes none of it');
    });
  });
}

t.test("the host's services on [::] and a container of an IPv4 network", { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...ONLY4, bridge: 'quay' });
    const c1 = await network.container('c1');
    await serve(host, 'tcp', 631, { address: '::', name: 'host6' });
    const here = await host.must(['ip', '-6', 'address', 'show', 'dev', 'quay']);
    t.equal(here, '', 'the bridge has no IPv6 address');
    await linkLocal(c1.place, 'eth0');
    const mac = (await host.ip('link', 'show', 'quay'))[0]?.address;
    const octets = String(mac)
      .split(':')
      .map((octet) => Number.parseInt(octet, 16));
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = octets;
    const hex = (high: number, low: number) => ((high << 8) | low).toString(16);
    const target = `fe80::${hex(a ^ 2, b)}:${hex(c, 0xff)}:${hex(0xfe, d)}:${hex(e, f)}%eth0`;
    t.equal(await ask(c1.place, 'tcp', target, 631, silence), undefined, 'nobody answers at fe80::');
  });
});

t.test('the bridge has IPv6 as soon as one network on it has', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const only4 = new Network(host, { ...ONLY4, name: 'four', bridge: 'quay', keepBridge: true });
    const both = new Network(host, {
      name: 'both',
      bridge: 'quay',
      ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
    });
    await only4.container('c1');
    const c2 = await both.container('c2');
    await serve(host, 'tcp', 631, { address: '::', name: 'host6' });
    t.match(await ask(c2.place, 'tcp', 'fd00:77::1', 631), { from: 'host6' });
    await only4.container('c3');
    t.match(await ask(c2.place, 'tcp', 'fd00:77::1', 631), { from: 'host6' }, 'and keeps it');
    t.equal(await both.check('c2', c2.result), undefined);
  });
});

t.test('a bridge that a person made is left as it is', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('ip link add quay type bridge\nip link set quay up');
    await new Network(host, { ...ONLY4, bridge: 'quay' }).container('c1');
    t.match(await linkLocal(host, 'quay'), /^fe80:/);
  });
});
