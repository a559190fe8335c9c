/** netmoor attach and detach on the real kernel: networks, traffic, and nothing left afterwards. */
import t from 'tap';
import {
  FORWARDING,
  addressOf,
  attach,
  back,
  define,
  detach,
  mixed,
  must,
  reference,
  stateOf,
  withoutReference,
} from './attach-bed.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import { refused } from './netmoor-command.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;

t.test('the default network needs no configuration', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const before = await stateOf(host);
      const [web, ...others] = await attach(
        host,
        '--create',
        'web',
        '--port',
        '8080:80/tcp',
        '--port',
        '5353:53/udp',
      );
      t.strictSame(others, []);
      t.match(web, { network: 'netmoor', containerId: 'web', ifname: 'eth0', netns: '/run/netns/web' });
      const place = host.at('/run/netns/web', 'web');
      const [lo, eth0] = await place.ip('address', 'show');
      t.match(
        lo,
        { ifname: 'lo', flags: ['LOOPBACK', 'UP', 'LOWER_UP'] },
        'loopback is up in a namespace we made',
      );
      t.match(eth0?.addr_info, [{ local: addressOf(web) }, { local: addressOf(web, 6) }]);
      for (const address of ['0.0.0.0', '::']) {
        await serve(place, 'tcp', 80, { address });
        await serve(host.outside, 'tcp', 80, { address });
      }
      await serve(place, 'udp', 53);
      t.equal((await ask(place, 'tcp', world.internet4, 80))?.peer, world.host4, 'out by NAT');
      t.equal((await ask(place, 'tcp', world.internet6, 80))?.peer, world.host6, 'over IPv6, too');
      t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'web', 'published');
      t.equal((await ask(host.outside, 'tcp', world.host6, 8080))?.from, 'web');
      t.equal((await ask(host.outside, 'udp', world.host4, 5353))?.from, 'web');
      const listed = JSON.parse(await must(host, 'ls', '--json')) as object[];
      t.match(listed, [
        {
          network: 'netmoor',
          containerId: 'web',
          name: 'web',
          ifname: 'eth0',
          netns: '/run/netns/web',
          state: 'attached',
        },
      ]);
      t.match(await host.must(['cat', '/run/netmoor/hosts']), new RegExp(`^${addressOf(web)}\tweb\t`, 'm'));

      const gone = await detach(host, '--netns', 'web', '--delete');
      t.match(gone, [{ network: 'netmoor', containerId: 'web', ifname: 'eth0' }]);
      t.notMatch(await host.must(['cat', '/run/netmoor/hosts']), /web/);
      const after = await stateOf(host);
      t.strictSame({ ...after, processes: [] }, { ...before, processes: [] }, 'nothing is left');
      t.equal(await ask(host.outside, 'tcp', world.host4, 8080), undefined);
      t.same(await detach(host, '--netns', 'web'), [], 'a second time is no mistake');
    },
    FORWARDING,
  );
});

t.test('several networks, with options of their own', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, { '10-mixed': mixed, '20-back': back });
      const before = await stateOf(host);
      const c1 = await host.container('c1');
      await attach(
        host,
        '--netns',
        'c1',
        '--ip',
        '10.82.0.50',
        '--mac',
        '02:00:00:00:00:50',
        '--port',
        '2222:22',
        'mixed',
        'back:lan0;ip=10.83.0.60',
      );
      const addresses = await c1.ip('-4', 'address', 'show');
      const held = addresses.map(
        ({ ifname, addr_info = [] }) => `${ifname} ${addr_info.map(({ local }) => local).join()}`,
      );
      t.strictSame(held, ['lo 127.0.0.1', 'eth0 10.82.0.50', 'lan0 10.83.0.60']);
      t.equal((await c1.ip('link', 'show', 'dev', 'eth0'))[0]?.address, '02:00:00:00:00:50');
      t.equal(
        (await c1.must(['cat', '/proc/sys/net/ipv4/conf/eth0/arp_filter'])).trim(),
        '1',
        'the plugin after ours has run',
      );
      await attach(host, '--netns', 'c1', 'netmoor');
      t.same(
        (await c1.ip('link', 'show')).map(({ ifname }) => ifname),
        ['lo', 'eth0', 'lan0', 'eth1'],
        'the next free name',
      );

      const [only] = await detach(host, '--netns', 'c1', 'back');
      t.match(only, { network: 'back', ifname: 'lan0' });
      t.same(
        (await c1.ip('link', 'show')).map(({ ifname }) => ifname),
        ['lo', 'eth0', 'eth1'],
      );
      const wrong = await refused(host, 'detach', '--netns', 'c1', 'mixd');
      t.match(wrong, { exit: 1, code: 3, text: naming('mixd', 'mixed') });
      const kept = await refused(host, 'detach', '--netns', 'c1', '--delete', 'mixed');
      t.match(kept, { exit: 1, code: 7, text: naming('netmoor') });
      await detach(host, '--netns', 'c1');
      await host.removeContainer('c1');
      t.strictSame(await stateOf(host), before);
    },
    FORWARDING,
  );
});

t.test('the reference plugins, by the same rules', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, { reference });
      const c1 = await host.container('c1');
      const before = withoutReference(await stateOf(host));
      const [first] = await attach(
        host,
        '--netns',
        'c1',
        '--port',
        '127.0.0.1:9000-9001:80-81',
        '--port',
        '8080:80',
        'reference',
      );
      t.match(addressOf(first), /^10\.81\.0\./);
      await serve(c1, 'tcp', 80);
      await serve(c1, 'tcp', 81, { name: 'second' });
      t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1');
      t.equal(
        (await ask(host, 'tcp', '127.0.0.1', 9001))?.from,
        'second',
        'a range is written out for portmap',
      );
      const cached = JSON.parse(await host.must(['cat', '/var/lib/cni/results/reference-c1-eth0'])) as {
        kind: string;
      };
      t.match(cached, {
        kind: 'cniCacheV1',
        containerId: 'c1',
        ifName: 'eth0',
        networkName: 'reference',
        result: { ips: [{}] },
      });
      await detach(host, '--netns', 'c1');
      t.equal(await ask(host.outside, 'tcp', world.host4, 8080), undefined);
      const left = await host.must(['find', '/var/lib/cni/networks/reference', '-name', '10.*']);
      t.equal(left, '', 'host-local holds no address');
      const after = withoutReference(await stateOf(host));
      t.strictSame({ ...after, processes: [] }, { ...before, processes: [] });
    },
    FORWARDING,
  );
});

t.test('a process has a namespace', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const { place, stop } = await host.processContainer('p1');
      const before = await stateOf(host);
      const pid = place.netnsPath.split('/')[2] ?? '';
      const [one] = await attach(host, '--pid', pid, '--name', 'worker');
      t.match(one, { netns: `/proc/${pid}/ns/net`, containerId: /^netns-\d+$/ });
      t.same(
        (await place.ip('link', 'show')).map(({ ifname }) => ifname),
        ['lo', 'eth0'],
      );
      t.match(await host.must(['cat', '/run/netmoor/hosts']), /\tworker netns-\d+\t/);
      t.match(await refused(host, 'attach', '--pid', pid), {
        exit: 1,
        code: 100,
        text: naming('netmoor', 'eth0'),
      });
      t.match(await refused(host, 'attach', '--pid', '1'), {
        exit: 1,
        code: 4,
        text: naming('/proc/1/ns/net'),
      });
      t.match(await must(host, 'exec', 'worker', '--', 'ip', '-br', 'link'), /eth0@/);
      await stop();
      t.match(await refused(host, 'attach', '--pid', pid), { exit: 1, code: 4, text: naming(pid) });
      t.match(
        await detach(host, '--pid', pid),
        [{ network: 'netmoor', ifname: 'eth0' }],
        'works when the process is gone',
      );
      const { processes: _1, ...after } = await stateOf(host);
      const { processes: _2, ...then } = before;
      t.strictSame(after, then);
    },
    FORWARDING,
  );
});
