/**
 * `ndpProxy`: a part of the prefix on the uplink's link is the network's. Neighbours there reach its containers without
 * NAT, and are seen as who they are; what a person has set stays as it is.
 */
import t from 'tap';
import { ask, lacking, serve, until, withHost, without, world } from './harness.ts';
import type { Host } from './harness.ts';
import { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

const SUBNET = '2001:db8:0:0:77::/80';
const ROUTED = {
  ndpProxy: true,
  ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: SUBNET }]] },
};
const KEYS = ['net.ipv6.conf.uplink.proxy_ndp', 'net.ipv6.conf.all.proxy_ndp'];

async function proxied(host: Host): Promise<string[]> {
  const shown = await host.ip('-6', 'neighbour', 'show', 'proxy');
  return shown.map(({ dst }) => dst ?? '').sort();
}

async function switches(host: Host): Promise<string[]> {
  return (await host.must(['sysctl', '-n', ...KEYS])).trim().split('\n');
}

/** What the neighbour knows of an address after it has asked for it. */
async function answered(host: Host, address: string): Promise<boolean> {
  await host.outside.run(['ip', '-6', 'neighbour', 'flush', 'dev', 'wire']);
  await host.outside.run(['ping', '-c1', '-W1', address]);
  const [entry] = await host.outside.ip('-6', 'neighbour', 'show', address);
  return entry !== undefined && 'lladdr' in entry;
}

t.test('neighbours of the uplink and containers reach each other as who they are', { skip }, async (t) => {
  await withHost(t, async (host) => {
    // The kernel answers for others at random within 0.8 s (RFC 4861, section 7.2.8).
    await host.must(['sysctl', '-qw', 'net.ipv6.neigh.uplink.proxy_delay=0']);
    const network = new Network(host, ROUTED);
    const first = await network.container('first');
    await network.del('first');
    t.strictSame([await switches(host), await proxied(host)], [['0', '0'], []]);
    const before = without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');

    const answer = await network.add('first');
    const other = await network.container('other');
    const address = answer.ips?.[1]?.address.split('/')[0] ?? '';
    t.match(address, /^2001:db8::77:/);
    t.strictSame(await proxied(host), [address, other.ip6].sort());
    await serve(first.place, 'tcp', 80, { address: '::' });
    await serve(host.outside, 'tcp', 80, { address: '::' });
    await serve(host.outside, 'tcp', 81);
    t.match(await ask(host.outside, 'tcp', address, 80), { from: 'first', peer: world.router6 });
    t.match(await ask(first.place, 'tcp', world.router6, 80), { from: 'outside', peer: address });
    t.match(await ask(first.place, 'tcp', world.router4, 81), { peer: world.host4 }, 'IPv4 is masqueraded');
    t.match(await ask(other.place, 'tcp', address, 80), { from: 'first', peer: other.ip6 });

    t.equal(await network.check('first', answer), undefined);
    const off = async (key = ''): Promise<unknown> => host.must(['sysctl', '-qw', `${key}=0`]);
    await off(KEYS[0]);
    t.match(await network.check('first', answer), naming('uplink', 'proxy_ndp'));
    await host.must(['sysctl', '-qw', `${KEYS[0]}=1`]);
    await host.must(['ip', 'neighbour', 'delete', 'proxy', address, 'dev', 'uplink']);
    t.match(await network.check('first', answer), naming('uplink', address));
    await network.add('first');
    t.equal(await network.check('first', answer), undefined);
    await host.must(['sysctl', '-qw', `${KEYS[0]}=109`]);

    await network.del('first');
    t.notOk(await answered(host, address), 'nobody answers for who has left');
    t.ok(await answered(host, other.ip6));
    await network.del('other');
    t.notOk(await answered(host, other.ip6));
    await host.removeContainer('other');
    t.strictSame([await switches(host), await proxied(host)], [['0', '0'], []]);
    const after = without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');
    t.strictSame(after, before);
  });
});

t.test('a person’s, the dead’s, the forgotten', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...ROUTED, ndpProxy: 'uplink' });
    await host.shell(`sysctl -qw ${KEYS.join('=1 ')}=1
      ip neighbour add proxy 2001:db8:0:0:77::2 dev uplink; ip neighbour add proxy 2001:db8::aaaa dev uplink`);
    const person = ['2001:db8::77:0:0:2', '2001:db8::aaaa'];
    t.equal((await network.container('c1')).ip6, person[0]);
    const { ip6 } = await network.container('c2');
    t.strictSame(await proxied(host), [...person, ip6].sort());
    await network.del('c1');
    t.strictSame(await proxied(host), [...person, ip6].sort(), 'what a person has made stays');

    // Without a record, as long as the container lives; with one made again from the kernel; and without either.
    await host.shell('rm -r /var/lib/cni/netmoor');
    await asked(host, 'gc');
    t.ok((await proxied(host)).includes(ip6));
    await asked(host, 'gc', '--rebuild');
    await network.del('c2');
    t.strictSame(await proxied(host), person);
    t.strictSame(await switches(host), ['1', '1']);
    await network.add('c2');
    await host.removeContainer('c2');
    await until(async () => (await asked(host, 'gc')).view.garbage.length > 0, 'the death of c2');
    t.strictSame(await proxied(host), person);
    await host.must([
      'ip',
      'neighbour',
      'add',
      'proxy',
      '2001:db8::77:9',
      'dev',
      'uplink',
      'protocol',
      '109',
    ]);
    const { view } = await asked(host, 'gc');
    t.match(view.garbage.map(({ what }) => what).join(), naming('2001:db8::77:9', 'uplink'));
    t.strictSame(await proxied(host), person);
  });
});

t.test('what cannot work is refused', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const before = without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');
    for (const [what, config] of Object.entries({
      uplnik: { ...ROUTED, ndpProxy: 'uplnik' },
      isGateway: { ...ROUTED, isGateway: false },
      range: { ndpProxy: true },
      ipam: { ndpProxy: true, ipam: {} },
      '2001:db8::/64': { ndpProxy: true, ipam: { subnet: '2001:db8::/64', gateway: '2001:db8::9' } },
      'a//b': { ...ROUTED, ndpProxy: ['a//b'] },
    })) {
      const { code, json } = await new Network(host, config).run('ADD', 'c1');
      t.strictSame([code, json?.code], [1, what === '2001:db8::/64' ? 108 : 7], what);
      t.match(`${json?.msg} ${json?.details}`, naming(what));
    }
    const after = without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');
    t.strictSame(after['neighbours'], before['neighbours']);
    t.strictSame(after['links'], before['links']);
    t.strictSame(await proxied(host), []);
  });
});
