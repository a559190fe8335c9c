/**
 * netmoor-hook with several networks, of our plugins and of others, with files to write, in namespaces of every origin.
 */
import { t, test } from 'tap';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { ask, serve, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import {
  countResults,
  HOOK_FILES,
  makeHookBundle,
  readLog,
  Runtime,
  withRuntimeHost,
} from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { stateOf } from './states.ts';
import { addressesOf } from './traffic.ts';
import { naming } from '../naming.ts';

t.setTimeout(300_000);

const IGNORED = new RegExp(`${HOOK_FILES.source}|^\\S /etc/cni/net.d|^\\S /run/(victim|elsewhere)`);

function writeNetwork(host: Host, name: string, ...plugins: object[]): void {
  host.write(`/etc/cni/net.d/${name}.conflist`, JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
}

const OURS = { type: 'bridge-nat', capabilities: { portMappings: true, ips: true, mac: true } };

/** The reference chain, with addresses of host-local. */
const THEIRS = [
  {
    type: 'bridge',
    bridge: 'br-theirs',
    ipMasq: true,
    isGateway: true,
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }]] },
  },
  { type: 'portmap', capabilities: { portMappings: true } },
];

for (const name of ['runc', 'crun']) {
  const skip = lackingFor(name, 'runc', 'busybox', 'socat', 'nft');

  test(`${name}: several networks, one of them of other plugins`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      writeNetwork(host, 'front', {
        ...OURS,
        ipam: { subnet: '10.71.0.0/24', routes: [{ dst: '0.0.0.0/0' }] },
      });
      writeNetwork(host, 'back', { ...OURS, isGateway: false, ipam: { subnet: '10.72.0.0/24' } });
      writeNetwork(host, 'theirs', ...THEIRS);
      const networks = 'front,back:lan0;ip=10.72.0.9;mac=02:00:5e:10:00:07,theirs:port=9090:80';
      const bundle = await makeHookBundle(host, 'c1', {
        flags: ['--cni-path', REFERENCE_PLUGINS],
        annotations: {
          'netmoor/networks': networks,
          'netmoor/ports': '8080:80',
          'netmoor/result-file': 'net.json',
          'netmoor/ip-file': '.ip',
        },
      });
      const place = await runtime.start(bundle);
      t.same((await place.ip('link', 'show')).map((link) => link.ifname).sort(), [
        'eth0',
        'eth1',
        'lan0',
        'lo',
      ]);
      t.same(await addressesOf(place, 'eth0'), ['10.71.0.2/24']);
      t.same(await addressesOf(place, 'lan0'), ['10.72.0.9/24']);
      t.equal((await place.ip('link', 'show', 'dev', 'lan0'))[0]?.address, '02:00:5e:10:00:07');
      t.same(await addressesOf(place, 'eth1'), ['10.77.0.2/24']);
      const server = await serve(place, 'tcp', 80, { address: '0.0.0.0' });
      t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1', 'published by ours');
      await server.stop();
      const rules = await host.must(['nft', 'list', 'ruleset']);
      t.match(rules, naming('9090'), 'published by theirs');
      const results = JSON.parse(await host.must(['cat', `${bundle.directory}/net.json`])) as object;
      t.match(results, {
        containerId: 'c1',
        networks: [
          { network: 'front', ifname: 'eth0', result: { ips: [{ address: '10.71.0.2/24' }] } },
          { network: 'back', ifname: 'lan0', result: { ips: [{ address: '10.72.0.9/24' }] } },
          { network: 'theirs', ifname: 'eth1', result: { ips: [{ address: '10.77.0.2/24' }] } },
        ],
      });
      t.equal(await host.must(['cat', `${bundle.directory}/.ip`]), '10.71.0.2\n');

      await runtime.remove('c1');
      t.equal(await countResults(host), 0);
      t.equal(
        (await host.run(['test', '-e', '/var/lib/cni/networks/theirs/10.77.0.2'])).code,
        1,
        'host-local has its address back',
      );
      t.notMatch(await host.must(['nft', 'list', 'ruleset']), /9090|10\.7[12]\./);
      t.equal(
        (await host.run(['test', '-e', `${bundle.directory}/net.json`])).code,
        1,
        'the result file went, too',
      );
      t.same(
        (await host.ip('link', 'show')).map((link) => link.ifname),
        ['lo', 'uplink', 'br-theirs'],
        'the reference leaves its bridge',
      );
    });
  });

  test(`${name}: files for the container`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      host.write('/run/victim', 'precious\n');
      const flags = [
        '--files',
        'resolv.conf,hosts,hostname',
        '--dns',
        '9.9.9.9',
        '--hostname',
        'web.example.org',
      ];
      const look = 'cat /etc/resolv.conf /etc/hosts /etc/hostname';

      await t.test('in its file system, a link in the place of one replaced', async (t) => {
        const bundle = await makeHookBundle(host, 'c1', { flags, command: ['/bin/sh', '-c', look] });
        await host.must(['ln', '-s', '/run/victim', `${bundle.rootfs}/etc/resolv.conf`]);
        await host.must(['ln', '-s', '../../../../../run/victim', `${bundle.rootfs}/etc/hosts`]);
        const { stdout, code, stderr } = await runtime.run(bundle);
        t.equal(code, 0, stderr);
        t.match(stdout, /^nameserver 9\.9\.9\.9\n127\.0\.0\.1\tlocalhost\n/);
        t.match(stdout, /\n10\.[\d.]+\tweb\.example\.org web\n.*\nweb\.example\.org\n$/);
        t.equal(await host.must(['cat', '/run/victim']), 'precious\n');
      });

      await t.test('in a file that the bundle mounts', async (t) => {
        const bundle = await makeHookBundle(host, 'c2', {
          flags,
          command: ['/bin/sh', '-c', look],
          change: (spec) => {
            spec.mounts.push({
              destination: '/etc/resolv.conf',
              type: 'bind',
              source: 'my-resolv.conf',
              options: ['rbind', 'ro'],
            });
          },
        });
        host.write(`${bundle.directory}/my-resolv.conf`, '# to be filled\n');
        host.write(`${bundle.rootfs}/etc/resolv.conf`, '');
        const { stdout, code, stderr } = await runtime.run(bundle);
        t.equal(code, 0, stderr);
        t.match(stdout, /^nameserver 9\.9\.9\.9\n/);
      });

      await t.test('never through a link or a mount that leads elsewhere', async (t) => {
        const before = await stateOf(host, IGNORED);
        await host.must(['mkdir', '-p', '/run/elsewhere']);
        const linked = await makeHookBundle(host, 'c3', { flags });
        await host.shell(`rm -rf ${linked.rootfs}/etc; ln -s /../../../elsewhere ${linked.rootfs}/etc`);
        const mounted = await makeHookBundle(host, 'c4', {
          flags,
          change: (spec) => {
            spec.mounts.push({
              destination: '/etc/resolv.conf',
              type: 'bind',
              source: '/run/victim',
              options: ['bind'],
            });
          },
        });
        host.write(`${mounted.rootfs}/etc/resolv.conf`, '');
        for (const bundle of [linked, mounted]) {
          const { code } = await runtime.run(bundle);
          t.not(code, 0, bundle.id);
          t.match(await readLog(host), new RegExp(`: ${bundle.id}: .*(etc|hosts)`));
          t.equal(await countResults(host), 0);
        }
        t.equal(await host.must(['cat', '/run/victim']), 'precious\n');
        t.equal(await host.must(['ls', '-A', '/run/elsewhere']), '');
        t.same(await stateOf(host, IGNORED), before, 'nothing is left');
      });
    });
  });

  test(`${name}: a namespace that outlives the container`, { skip }, async (t) => {
    await withRuntimeHost(t, async (host) => {
      const runtime = new Runtime(host, name);
      writeNetwork(host, 'front', OURS);
      writeNetwork(host, 'theirs', ...THEIRS);
      const place = await host.container('kept');
      const inside = (await place.ip('link', 'show')).map((link) => link.ifname);
      const bundle = await makeHookBundle(host, 'c1', {
        annotations: { 'netmoor/networks': 'front,theirs' },
        flags: ['--cni-path', REFERENCE_PLUGINS],
        change: (spec) => {
          const own = spec.linux.namespaces.filter(({ type }) => type !== 'network');
          spec.linux.namespaces = [...own, { type: 'network', path: place.netnsPath }];
        },
      });
      for (const round of [1, 2]) {
        await runtime.start(bundle);
        t.equal((await addressesOf(place, 'eth0')).length, 2, `round ${round}`);
        t.equal((await addressesOf(place, 'eth1')).length, 1);
        await runtime.remove('c1');
        t.same(
          (await place.ip('link', 'show')).map((link) => link.ifname),
          inside,
          'only its own interfaces are in it',
        );
      }
      t.equal(await countResults(host), 0);
    });
  });
}
