/**
 * Six servers behind one address (LXC), by what their network's configuration says, as the examples have it: the public
 * address and its ports, one with a public address of its own; and the other layout, on the office's LAN itself.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { EXAMPLE, TOOLS, layOut, start, state, stop } from './lxc-bed.ts';
import { fetchFrom } from './systemd-machine.ts';
import { FORWARDING, define, must } from '../kernel/attach-bed.ts';
import { serve, until, withHost, world } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';

t.setTimeout(180_000);

const HOOK = '/usr/local/bin/netmoor-lxc';
const INIT = 'cat /etc/resolv.conf > /root/resolv; exec httpd -f -p 22 -h /root';
const skip = lackingFor('lxc-start', 'busybox', 'socat');

/** An example of ours, with what is this host's in the place of what is the reader's. */
function example(file: string, own: Readonly<Record<string, string>>): string {
  const path = new URL(`../../schemas/examples/${file}`, import.meta.url);
  return Object.entries(own).reduce(
    (text, [theirs, ours]) => text.replaceAll(theirs, ours),
    readFileSync(path, 'utf8'),
  );
}

async function run(host: Host, name: string, networks: string, init = INIT): Promise<void> {
  const lines = readFileSync(`${EXAMPLE}/netmoor-lxc.conf`, 'utf8');
  const config = lines.replace(`${HOOK} lan:ip=10.1.1.6,port=22210:22`, `${HOOK} ${networks}`);
  await layOut(host, name, config, init);
  if ((await start(host, name)) !== 0) throw new Error(await host.must(['cat', `/run/lxc/${name}/log`]));
}

async function answers(place: Place, address: string, port: number): Promise<string> {
  return until(async () => fetchFrom(place, address, port), `${address}:${port} answers`, 10_000);
}

/** What a server out there takes the container's address for. */
async function sourceOf(host: Host, name: string): Promise<string> {
  const client = ['socat', '-u', `TCP4:${world.internet4}:80,connect-timeout=5`, '-'];
  const [, peer = ''] = (await must(host, 'exec', name, '--', ...client)).split(' ');
  return peer;
}

t.test('one address, its ports, and one whole address', { skip }, async (t) => {
  const servers = example('public-addresses.conflist', {
    eth0: world.uplink,
    '203.0.113.5': world.host4,
  });
  await withHost(
    t,
    async (host) => {
      await host.shell(TOOLS);
      define(host, { servers });
      await serve(host.outside, 'tcp', 80);
      const before = await state(host);
      await run(host, 'shell', 'servers:ip=10.1.1.6');
      await run(host, 'shop', 'servers:ip=10.1.1.9');
      t.equal(await answers(host.outside, world.host4, 22210), 'this is shell\n', 'a port by configuration');
      t.equal(
        await answers(host.outside, '203.0.113.9', 22),
        'this is shop\n',
        'all ports of its own address',
      );
      t.equal(await answers(host, '10.1.1.9', 22), 'this is shop\n', 'from the host');
      t.equal(await sourceOf(host, 'shell'), world.host4, 'out by the shared address');
      t.equal(await sourceOf(host, 'shop'), '203.0.113.9', 'out by its own');
      t.match(
        await host.must(['cat', '/run/lxc/shell/rootfs/root/resolv']),
        /^search servers\.example\nnameserver 10\.1\.1\.1$/m,
      );
      t.match(JSON.parse(await must(host, 'check', '--json')), { ok: true });
      await stop(host, 'shell');
      await stop(host, 'shop');
      t.equal(await fetchFrom(host.outside, world.host4, 22210), undefined, 'nobody is behind it any more');
      // The bridge is to stay.
      await must(host, 'networks', '--forget', 'servers');
      await must(host, 'gc');
      t.strictSame(await state(host), before, 'nothing is left');
    },
    FORWARDING,
  );
});

t.test('on the LAN of the office, the network card in the bridge', { skip }, async (t) => {
  const office = example('office-lan.conflist', {
    eth0: world.uplink,
    '192.168.1.0/24': '203.0.113.0/24',
    '192.168.1.200': '203.0.113.200',
    '192.168.1.220': '203.0.113.220',
    '192.168.1.1': world.router4,
  });
  await withHost(t, async (host) => {
    await host.shell(TOOLS);
    define(host, { office });
    await serve(host.outside, 'tcp', 80);
    const before = await state(host);
    await run(host, 'c1', 'office');
    const [{ addresses = [] } = {}] = JSON.parse(await must(host, 'ls', '--json')) as {
      addresses?: (string | { address: string })[];
    }[];
    const [first = ''] = addresses.map((each) => (typeof each === 'string' ? each : each.address));
    const address = first.replace(/\/.*$/, '');
    t.match(address, /^203\.0\.113\.2[012]\d$/, 'of the LAN, outside of what its DHCP server has');
    t.equal(
      await answers(host.outside, address, 22),
      'this is c1\n',
      'the LAN reaches it by its own address',
    );
    t.equal(await sourceOf(host, 'c1'), address, 'and is reached from it');
    t.equal(
      (await host.run(['ping', '-c1', '-W5', world.internet4])).code,
      0,
      'the host is on its LAN as before',
    );
    await stop(host, 'c1');
    t.strictSame(await state(host), before, 'the card has its addresses back');
  });
});
