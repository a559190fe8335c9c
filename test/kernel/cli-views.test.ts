/** What `netmoor ls`, `networks`, `show` and `check` say, against what iproute2 and nft say of the same host. */
import t from 'tap';
import { lacking, until, withHost } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { NETMOOR, asked, netmoor, refused } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

t.test('on a host that netmoor was never used on', { skip }, async (t) => {
  await withHost(t, async (host) => {
    // The one thing that any start leaves: the module that libc is called through.
    const ignoreFiles = /^d \/var\/lib\/cni\/netmoor$|\/netmoor\/native/;
    const before = await host.snapshot({ ignoreFiles });
    t.same(await asked(host, 'ls'), { yes: true, view: [] });
    t.same(await asked(host, 'leases'), { yes: true, view: { leases: [], usage: [], dhcp: [] } });
    t.match(await asked(host, 'networks'), { yes: true, view: [{ name: 'netmoor', source: 'built in' }] });
    t.match(await asked(host, 'show'), {
      view: { host: { uplink: { name: 'uplink' } }, segments: [], unplugged: [] },
    });
    t.same(await asked(host, 'check'), { yes: true, view: { ok: true, attachments: [], store: [] } });
    const nothing = { dryRun: false, garbage: [], failures: [], recovered: [], unrecorded: [] };
    t.same(await asked(host, 'gc'), { yes: true, view: nothing });
    const after = await host.snapshot({ ignoreFiles });
    t.same(after, before, 'looking changes nothing');
  });
});

t.test('a user who may not look', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host);
    await network.container('c1');
    const asNobody = async (...args: string[]) =>
      host.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--', NETMOOR, ...args]);
    for (const verb of ['ls', 'leases', 'networks', 'show', 'check', 'gc']) {
      const { code, stdout } = await asNobody(verb, '--json');
      t.equal(code, 1);
      t.match(JSON.parse(stdout), { code: 106, details: naming('root') }, `${verb} says that it needs root`);
    }
    t.match(await asNobody('version'), { code: 0 });
  });
});

t.test('the views say what the kernel says', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const automatic = new Network(host, { name: 'quay', bridge: 'pier' });
    const ports = [
      { hostPort: 8080, containerPort: 80 },
      { hostPort: 5300, containerPort: 53, protocol: 'udp', hostIP: '203.0.113.2' },
    ];
    const c1 = await network.container('c1', { ports, args: 'K8S_POD_NAME=web' });
    const c2 = await network.container('c2');
    await automatic.add('c2', { ifname: 'eth1' });

    const { view: attachments } = await asked(host, 'ls');
    t.match(attachments, [
      {
        network: 'harbour',
        containerId: 'c1',
        name: 'web',
        netns: '/run/netns/c1',
        segment: 'nm-harbour',
        state: 'attached',
      },
      { network: 'harbour', containerId: 'c2', ifname: 'eth0', ports: [] },
      { network: 'quay', containerId: 'c2', ifname: 'eth1', segment: 'pier' },
    ]);
    const hostLinks = await host.ip('-d', 'link', 'show');
    for (const { containerId, ifname, hostIfname, segment, mac, mtu, addresses } of attachments) {
      const place = containerId === 'c1' ? c1.place : c2.place;
      const [inside] = await place.ip('address', 'show', 'dev', ifname);
      t.match(inside, { address: mac, mtu }, `${containerId} ${ifname}`);
      const real = (inside?.addr_info ?? []).filter(({ scope }) => scope === 'global');
      t.same(
        addresses.map(({ address }) => address).sort(),
        real.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
      );
      t.match(
        hostLinks.find((link) => link.ifname === hostIfname),
        { master: segment, mtu },
      );
    }
    const published = attachments.flatMap(({ ports: each }) => each);
    const elements = JSON.stringify(await host.nft());
    t.same(
      published.map(({ hostPort, containerPort }) => [hostPort, containerPort]),
      [
        [8080, 80],
        [5300, 53],
      ],
    );
    for (const { protocol, hostPort } of published)
      t.match(elements, new RegExp(`"${protocol}",${hostPort}\\b`));

    const { view: networks } = await asked(host, 'networks');
    t.match(networks, [
      {
        name: 'harbour',
        segment: 'nm-harbour',
        automatic: false,
        attachments: 2,
        subnets: ['10.77.0.0/24', 'fd00:77::/64'],
      },
      { name: 'netmoor', attachments: 0 },
      { name: 'quay', segment: 'pier', automatic: true, attachments: 1 },
    ]);
    const { view: leases } = await asked(host, 'leases');
    t.equal(leases.leases.length, 6);
    t.match(
      leases.usage.filter((usage) => usage.network === 'harbour'),
      [{ taken: '2', total: '253' }, { taken: '2' }],
    );

    const { view: topology } = await asked(host, 'show');
    for (const { name, interface: bridge } of topology.segments) {
      const [link] = await host.ip('address', 'show', 'dev', name);
      const real = (link?.addr_info ?? []).filter(({ scope }) => scope === 'global');
      t.same(
        bridge?.addresses,
        real.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
        `bridge ${name}`,
      );
    }
    t.same(topology.host.uplink?.addresses, ['203.0.113.2/24', '2001:db8::2/64']);
    const { view: web } = await asked(host, 'show', 'web');
    t.match(web.segments, [
      { name: 'nm-harbour', networks: [{ name: 'harbour', attachments: [{ containerId: 'c1' }] }] },
    ]);
    t.equal(web.segments[0]?.networks[0]?.attachments.length, 1);
    t.match(await refused(host, 'show', 'wbe'), { exit: 1, code: 3, text: naming('wbe', 'web') });
    const one = await asked(host, 'show', 'quay');
    t.same(
      one.view.segments.map(({ name }) => name),
      ['pier'],
    );

    t.match(await asked(host, 'check'), { yes: true, view: { ok: true, store: [] } });
  });
});

t.test('the text of an empty list, and of the tree', { skip }, async (t) => {
  await withHost(t, async (host) => {
    t.match(await netmoor(host, 'ls'), { code: 0, out: /^CONTAINER .*\n$/ });
    const ports = [
      { hostPort: 8080, containerPort: 80 },
      { hostPort: 5300, containerPort: 53, protocol: 'udp', hostIP: '203.0.113.2' },
    ];
    await new Network(host, DUAL_STACK).container('c1', { ports, args: 'K8S_POD_NAME=web' });
    t.match(
      (await netmoor(host, 'show', '--ascii', 'web')).out,
      /^ {7}`- web eth0 {2}10\.77\.0\.2\/24, fd00:77::2\/64\n {13}\*:8080 -> 80\/tcp\n {13}203\.0\.113\.2:5300 -> 53\/udp\n$/m,
    );
  });
});

t.test('check names each difference, under the attachment it is of', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const c1 = await network.container('c1', { ports: [{ hostPort: 8080, containerPort: 80 }] });
    await network.container('c2');
    const differences = async (): Promise<string[][]> => {
      const { yes, view } = await asked(host, 'check');
      const found = view.attachments.map((each) => [...each.differences]);
      t.equal(yes, found.flat().length === 0 && view.store.length === 0, 'exit code and answer agree');
      return found;
    };
    t.same(await differences(), [[], []]);
    await c1.place.shell('ip address del 10.77.0.2/24 dev eth0');
    await host.shell("nft delete element inet netmoor publish4 '{ tcp . 8080 }'");
    t.match(await differences(), [[naming('publish4', '8080'), naming('eth0', '10.77.0.2/24')], []]);
    const { view } = await asked(host, 'check');
    t.match(view, {
      ok: false,
      attachments: [
        { containerId: 'c1', ifname: 'eth0', network: 'harbour' },
        { containerId: 'c2', ifname: 'eth0', network: 'harbour', differences: [] },
      ],
    });
    t.equal((await netmoor(host, 'check')).code, 1);
    await host.removeContainer('c2');
    const second = async () => (await asked(host, 'ls')).view[1];
    await until(async () => (await second())?.stale !== undefined, 'the namespace is taken apart');
    t.match((await differences())[1], [naming((await second())?.hostIfname ?? 'none')]);
  });
});

t.test('a namespace whose path has gone is no difference', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const c1 = await network.container('c1');
    const holder = c1.place.start(['sh', '-c', 'echo held; exec sleep infinity']);
    await holder.until(() => holder.output.includes('held'), 'process in the namespace');
    await host.removeContainer('c1');
    t.match(await asked(host, 'check'), {
      yes: true,
      view: {
        attachments: [{ differences: [], notes: [naming('/run/netns/c1')] }],
      },
    });
    await host.container('c1');
    t.match(await asked(host, 'check'), {
      yes: true,
      view: { attachments: [{ differences: [], notes: [naming('/run/netns/c1')] }] },
    });
    t.match(await asked(host, 'ls'), { view: [{ state: 'attached', stale: undefined }] });
    t.same((await asked(host, 'gc')).view.garbage, [], 'and it is not collected');
  });
});
