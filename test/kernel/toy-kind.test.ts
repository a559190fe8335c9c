/** A further main plugin is its folder and one line in the list: everything else works with it, unchanged. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { REFERENCE_PLUGINS } from './harness-cni.ts';
import { lacking, until, withHost, without } from './harness.ts';
import type { CniCommand, Host, Snapshot } from './harness.ts';

const skip = lacking() ?? false;
t.setTimeout(300_000);

const PROGRAM = fileURLToPath(new URL('toy/program.ts', import.meta.url));
const toy = (...words: string[]): string[] => [process.execPath, PROGRAM, ...words];

const CONFIG = { cniVersion: '1.1.0', name: 'pond', type: 'toy', ipam: { subnet: '10.66.0.0/24' } };

async function netmoor(host: Host, ...words: string[]) {
  const { code, stdout } = await host.run(toy('netmoor', ...words, '--json'));
  return { code, view: JSON.parse(stdout) };
}

function calls(host: Host, config: object, containerId = 'c1') {
  const what = {
    config,
    containerId,
    ifname: 'eth0',
    netns: `/run/netns/${containerId}`,
    path: REFERENCE_PLUGINS,
  };
  return async (command: CniCommand, extra: object = {}) =>
    host.cniMust(toy('plugin'), command, { ...what, config: { ...config, ...extra } });
}

async function state(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /netmoor|\/var\/lib\/cni/ }), 'processes');
}

for (const [order, ipam, address] of [
  ['addresses before the link', { subnet: '10.66.0.0/24' }, '10.66.0.2'],
  ['addresses after the link', { type: 'host-local', subnet: '10.67.0.0/24' }, '10.67.0.2'],
] as const) {
  t.test(`a kind that nobody knew, ${order}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const container = await host.container('c1');
      await host.container('c2');
      const before = await state(host);
      const config = { ...CONFIG, cniVersion: 'type' in ipam ? '1.0.0' : '1.1.0', ipam };
      const [one, two] = [calls(host, config), calls(host, config, 'c2')];
      const { json: prevResult } = await one('ADD');
      await two('ADD');
      const [inside] = await container.ip('address', 'show', 'dev', 'eth0');
      t.ok(
        inside?.addr_info?.some(({ local }) => local === address),
        'the container has its address',
      );
      await one('CHECK', { prevResult });

      const { view: listed } = await netmoor(host, 'ls');
      t.match(listed, [
        { plugin: 'toy', segment: 'dock', addresses: [{ address: `${address}/24` }] },
        { containerId: 'c2' },
      ]);
      const { view: shown } = await netmoor(host, 'show');
      t.match(shown.segments, [{ name: 'dock', networks: [{ name: 'pond', attachments: [{}, {}] }] }]);
      t.match(await netmoor(host, 'check'), { code: 0, view: { ok: true } });

      const [{ hostIfname }] = listed;
      await host.must(['ip', 'link', 'set', hostIfname, 'name', 'renamed']);
      t.match(await netmoor(host, 'gc'), { code: 0, view: { garbage: [] } }, 'a rename is not a death');
      t.match(await netmoor(host, 'check'), { code: 1, view: { ok: false } }, 'but a difference');
      await host.must(['ip', 'link', 'set', 'renamed', 'name', hostIfname]);

      await host.removeContainer('c2');
      const gone = async (): Promise<boolean> =>
        !(await host.ip('link', 'show')).some(({ ifname }) => ifname === listed[1].hostIfname);
      await until(gone, 'the interface of c2 is gone');
      const { view: collected } = await netmoor(host, 'gc');
      t.match(collected.garbage, [{ kind: 'attachment', what: 'pond/c2/eth0' }]);

      await one('DEL');
      await host.container('c2');
      t.same(await state(host), before, 'the host is as it was');

      await two('ADD');
      await two('GC', { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] });
      t.same(await state(host), before, 'after GC too');
    });
  });
}

t.test('the hook attaches with it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { netnsPath } = await host.container('c1');
    const before = await state(host);
    const list = { cniVersion: '1.0.0', name: 'pond', plugins: [CONFIG] };
    await host.shell(`mkdir -p /etc/cni/net.d /run/bundle/rootfs/etc
      echo '${JSON.stringify(list)}' > /etc/cni/net.d/pond.conflist
      echo '${JSON.stringify({ root: { path: 'rootfs' }, linux: { namespaces: [{ type: 'network' }] } })}' > /run/bundle/config.json`);
    const container = host.start(['nsenter', `--net=${netnsPath}`, 'sh', '-c', 'echo $$; exec sleep 600']);
    await container.until(() => container.output.includes('\n'), 'the container runs');
    const pid = Number(container.output);
    const call = (status: string) => {
      const state = { ociVersion: '1.0', id: 'boat', pid, status, bundle: '/run/bundle' };
      return host.must(toy('hook'), {
        input: JSON.stringify({ ...state, annotations: { 'netmoor/networks': 'pond' } }),
      });
    };
    await call('created');
    t.match((await netmoor(host, 'ls')).view, [{ containerId: 'boat', plugin: 'toy' }]);
    await call('stopped');
    t.same((await netmoor(host, 'ls')).view, []);
    await container.stop();
    const after = without(await state(host), 'files');
    t.same(after, without(before, 'files'));
  });
});
