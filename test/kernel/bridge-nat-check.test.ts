/**
 * CHECK names each difference, STATUS says beforehand what an ADD would meet, GC clears away what nobody vouches for.
 */
import t from 'tap';
import { lacking, serve, ask, until, withHost, world } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];

interface Damage {
  readonly what: string;
  readonly command: (host: Host, place: Place, hostIfname: string) => Promise<unknown>;
  /** What CHECK names. */
  readonly named: readonly string[];
}

/** Stands for the name of the veth's end on the host. */
const HOST_END = 'HOST_END';

const DAMAGES: readonly Damage[] = [
  {
    what: 'container interface down',
    command: (_, place) => place.must(['ip', 'link', 'set', 'eth0', 'down']),
    named: ['eth0', 'down'],
  },
  {
    what: 'MAC',
    command: (_, place) => place.must(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99']),
    named: ['eth0', 'MAC', '02:00:00:00:00:99'],
  },
  {
    what: 'MTU',
    command: (_, place) => place.must(['ip', 'link', 'set', 'eth0', 'mtu', '1600']),
    named: ['eth0', 'MTU', '1600', '1500'],
  },
  {
    what: 'MTU of the host end',
    command: (host, _, name) => host.must(['ip', 'link', 'set', name, 'mtu', '1400']),
    named: [HOST_END, 'MTU', '1400', '1500'],
  },
  {
    what: 'IPv4 address',
    command: (_, place) => place.must(['ip', 'address', 'flush', 'dev', 'eth0', 'scope', 'global']),
    named: ['eth0', '10.77.0.2/24', 'fd00:77::2/64'],
  },
  {
    what: 'default route',
    command: (_, place) => place.must(['ip', 'route', 'delete', 'default']),
    named: ['0.0.0.0/0', '10.77.0.1'],
  },
  {
    what: 'IPv6 default route',
    command: (_, place) => place.must(['ip', '-6', 'route', 'delete', 'default']),
    named: ['::/0', 'fd00:77::1'],
  },
  {
    what: 'gateway',
    command: (host) => host.must(['ip', 'address', 'delete', '10.77.0.1/24', 'dev', 'nm-harbour']),
    named: ['nm-harbour', '10.77.0.1/24'],
  },
  {
    what: 'bridge down',
    command: (host) => host.must(['ip', 'link', 'set', 'nm-harbour', 'down']),
    named: ['nm-harbour', 'down'],
  },
  {
    what: 'unplugged',
    command: (host, _, name) => host.must(['ip', 'link', 'set', name, 'nomaster']),
    named: [HOST_END, 'nm-harbour'],
  },
  {
    what: 'NAT',
    command: (host) => host.must(['nft', 'flush', 'set', 'inet', 'netmoor', 'masq4']),
    named: ['masq4', '10.77.0.2'],
  },
  {
    what: 'published port',
    command: (host) => host.must(['nft', 'flush', 'map', 'inet', 'netmoor', 'publish4']),
    named: ['publish4', '8080'],
  },
  {
    what: 'the whole table',
    command: (host) => host.must(['nft', 'delete', 'table', 'inet', 'netmoor']),
    named: ['table inet netmoor'],
  },
  {
    what: 'forwarding',
    command: (host) => host.must(['sysctl', '-w', 'net.ipv4.ip_forward=0']),
    named: ['IPv4'],
  },
  {
    what: 'host interface',
    command: (host, _, name) => host.must(['ip', 'link', 'delete', name]),
    named: [HOST_END],
  },
];

t.test('an interface that is to be left down', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { cniVersion: '1.0.0', disableContainerInterface: true });
    const { place, result } = await network.container('c1');
    t.match(await place.ip('link', 'show', 'eth0'), [{ operstate: 'DOWN' }]);
    t.equal(await network.check('c1', result), undefined, 'is as it should be');
    t.ok((await asked(host, 'check')).yes);
    await place.must(['ip', 'link', 'set', 'eth0', 'up']);
    t.equal(await network.check('c1', result), undefined, 'as is one that somebody has raised');
    await place.must(['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99']);
    t.match(await network.check('c1', result), naming('eth0', 'MAC'));
  });
});

t.test('each thing that is missing is named', { skip, timeout: 120_000 }, async (t) => {
  for (const { what, command, named } of DAMAGES) {
    await t.test(what, async (t) => {
      await withHost(t, async (host) => {
        const network = new Network(host, DUAL_STACK);
        const { place, result } = await network.container('c1', { ports: PORTS });
        t.equal(await network.check('c1', result, { ports: PORTS }), undefined, 'all is well');
        const hostIfname = result.interfaces?.[1]?.name ?? '';
        await command(host, place, hostIfname);
        const things = named.map((thing) => (thing === HOST_END ? hostIfname : thing));
        t.match(await network.check('c1', result, { ports: PORTS }), naming(...things));
        await network.del('c1', { ports: PORTS });
        t.same(await host.ip('link', 'show', 'type', 'bridge'), [], 'and DEL still removes the rest');
        t.same(await host.nft(), []);
      });
    });
  }
});

t.test('CHECK of what is not on record, and without prevResult', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    await host.container('c1');
    t.match(await network.run('CHECK', 'c1', {}, { prevResult: { ips: [] } }), {
      code: 1,
      json: { code: 3, msg: naming('harbour/c1/eth0') },
    });
    t.match(await network.run('CHECK', 'c1'), { code: 1, json: { code: 7, msg: naming('prevResult') } });
  });
});

t.test('STATUS: 50 when an ADD would fail', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ipam: { ranges: [[{ subnet: '10.77.0.0/30' }]] } });
    const good = await network.whole('STATUS');
    t.equal(good.code, 0);
    t.equal(good.stdout, '');
    await network.container('c1');
    t.match(
      await network.whole('STATUS'),
      { code: 1, json: { code: 50, msg: naming('harbour', '10.77.0.2') } },
      'the pool is exhausted',
    );
    await network.del('c1');
    await host.must(['mount', '-t', 'tmpfs', '-o', 'ro', 'none', '/var/lib/cni']);
    t.match(
      await network.whole('STATUS'),
      { code: 1, json: { code: 50, msg: naming('/var/lib/cni/netmoor') } },
      'the store cannot be written',
    );
    await host.must(['umount', '/var/lib/cni']);
    t.equal((await network.whole('STATUS')).code, 0);
  });
});

t.test('GC keeps what the list vouches for, in either spelling', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const other = new Network(host, { name: 'other' });
    const kept = await network.container('kept');
    await network.container('stray', { ports: PORTS });
    await other.container('apart');
    t.equal(
      (await network.whole('GC', { 'cni.dev/valid-attachments': [{ containerID: 'kept', ifname: 'eth0' }] }))
        .code,
      0,
    );
    t.equal(await network.check('kept', kept.result), undefined);
    t.equal((await host.ip('link', 'show', 'master', 'nm-harbour')).length, 1, 'the stray one is unplugged');
    t.equal(
      (await host.ip('link', 'show', 'master', 'nm-other')).length,
      1,
      'other networks are not looked at',
    );
    t.notMatch(JSON.stringify(await host.nft()), /stray/);
    t.equal(
      (await network.whole('GC', { 'cni.dev/attachments': [{ containerID: 'kept', ifname: 'eth0' }] })).code,
      0,
    );
    t.equal(await network.check('kept', kept.result), undefined);
    t.equal((await network.whole('GC')).code, 0);
    t.same(
      await host.ip('link', 'show', 'master', 'nm-harbour').catch(() => []),
      [],
      'no list: nothing is valid',
    );
  });
});

t.test('a full pool is emptied of containers that died without DEL', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ipam: { ranges: [[{ subnet: '10.77.0.0/29' }]] } });
    for (const name of ['c1', 'c2', 'c3', 'c4', 'c5'])
      await network.container(name, name === 'c2' ? { ports: PORTS } : {});
    await host.container('c6');
    t.match(
      await network.run('ADD', 'c6'),
      { code: 1, json: { code: 11, msg: naming('10.77.0.1-10.77.0.6') } },
      'all five live',
    );
    const gone = (await network.host.ip('link', 'show', 'master', 'nm-harbour')).length;
    await host.removeContainer('c2');
    await until(
      async () => (await host.ip('link', 'show', 'master', 'nm-harbour')).length < gone,
      'the veth of c2 is gone',
    );
    const c6 = await network.add('c6', { ports: PORTS });
    t.equal(c6.ips?.[0]?.address, '10.77.0.3/29', 'what c2 held, its port included');
    t.notMatch(JSON.stringify(await host.nft()), /harbour\/c2\//);
  });
});

t.test('rules that somebody flushed come back with the next container', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const c1 = await network.container('c1', { ports: PORTS });
    await serve(c1.place, 'tcp', 80);
    await host.must(['nft', 'flush', 'ruleset']);
    t.equal(await ask(host.outside, 'tcp', world.host4, 8080), undefined);
    await network.container('c2');
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });
    t.equal(await network.check('c1', c1.result, { ports: PORTS }), undefined);
  });
});

t.test('what later plugins of the chain change is theirs', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { place, result } = await network.container('c1');
    await place.must(['ip', 'link', 'set', 'eth0', 'mtu', '1400', 'address', '02:00:00:00:00:77']);
    t.match(
      await network.check('c1', result),
      naming('eth0', '02:00:00:00:00:77'),
      'nobody told of the new MAC address',
    );
    const interfaces =
      result.interfaces?.map((each) => (each.sandbox ? { ...each, mac: '02:00:00:00:00:77' } : each)) ?? [];
    t.equal(await network.check('c1', { ...result, interfaces }), undefined);
  });
});
