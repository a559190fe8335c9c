/**
 * Services out through a VPN (systemd-nspawn): one container by NAT, its addresses and the host's chosen; one that
 * leaves by openvpn alone, as the example has it. What goes wrong is said, and nothing leaves meanwhile.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { busyboxRoot, fetchFrom } from './systemd-machine.ts';
import { FORWARDING, attach, define, detach, must, netmoor } from '../kernel/attach-bed.ts';
import { Meter, VPN, tryEverything, vpn, vpnServer } from '../kernel/egress-bed.ts';
import { ask, serve, until, withHost, world } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lackingFor('systemd-nspawn', 'busybox', 'socat', 'openvpn', 'nft');
const EXAMPLE = readFileSync(new URL('../../schemas/examples/egress-vpn.conflist', import.meta.url), 'utf8');
/** localAddress 10.92.0.7, hostAddress 10.92.0.254. */
const PRIVATE = JSON.stringify({
  cniVersion: '1.1.0',
  name: 'private',
  plugins: [
    {
      type: 'bridge-nat',
      isDefaultGateway: true,
      ipam: { subnet: '10.92.0.0/24', gateway: '10.92.0.254' },
      capabilities: { ips: true },
    },
  ],
});

/** A container of systemd-nspawn in a namespace that is attached already; it serves port 80. */
function boot(host: Host, name: string): Background {
  const cgroups = `for each in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e $each/cgroup.procs ] || continue
    mkdir -p $each/${host.id}/${name}; echo $$ > $each/${host.id}/${name}/cgroup.procs
  done`;
  const quiet =
    '--quiet --register=no --keep-unit --console=pipe --link-journal=no --resolv-conf=off --timezone=off';
  const inside = 'echo up; exec httpd -f -p 80 -h /root';
  return host.start([
    'sh',
    '-eu',
    '-c',
    `${cgroups}\nexec systemd-nspawn ${quiet} --network-namespace-path=/run/netns/${name} --directory=/run/${name} --as-pid2 /bin/sh -c '${inside}'`,
  ]);
}

/** What the other side takes the container's address for; undefined when nothing comes back. */
async function seenAs(host: Host, name: string): Promise<string | undefined> {
  const client = ['socat', '-u', `TCP4:${world.internet4}:80,connect-timeout=1`, '-'];
  const { stdout } = await host.run(['ip', 'netns', 'exec', name, ...client]);
  return stdout.split(' ')[1];
}

t.test('by NAT, and by the VPN alone', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, { private: PRIVATE, vpn: EXAMPLE });
      const meter = await Meter.install(host);
      await vpnServer(host);
      await serve(host.outside, 'tcp', 80, { name: 'internet' });
      await serve(host.outside, 'udp', 7000, { name: 'internet', address: world.internet4 });
      await host.shell(`mkdir -p /run/systemd/nspawn; cd /run\n${busyboxRoot('web')}\n${busyboxRoot('media')}
        for each in web media; do echo "this is $each" > $each/root/index.html; done`);
      await host.container('web');
      const media = await host.container('media');
      await attach(host, '--netns', 'web', 'private:ip=10.92.0.7');
      await attach(host, '--netns', 'media', 'vpn:ip=10.91.0.20');
      const machines = [boot(host, 'web'), boot(host, 'media')];
      for (const machine of machines)
        await machine.until(() => machine.output.includes('up'), 'it runs', 20_000);
      for (const [name, address] of [
        ['web', '10.92.0.7'],
        ['media', '10.91.0.20'],
      ] as const)
        t.equal(
          await until(async () => fetchFrom(host, address, 80), `${name} answers the host`, 10_000),
          `this is ${name}\n`,
        );
      t.equal(await seenAs(host, 'web'), world.host4, 'the one leaves by NAT');

      await meter.reset();
      const nothing = async (when: string): Promise<void> => {
        await tryEverything(media, '10.91.0.1', 'fd91::1');
        t.equal(await meter.read(), 'nothing', when);
      };
      await nothing('without a tunnel the other does not leave');
      const told = await netmoor(host, 'check', 'vpn');
      t.equal(told.code, 1);
      t.match(told.stdout, naming('nothing leaks', 'tun*'), 'and check says so');

      const tunnel = await vpn(host, '4');
      await must(host, 'repair');
      t.equal(
        await until(async () => seenAs(host, 'media'), 'the way out is back'),
        VPN.host4,
        'by the tunnel',
      );
      t.equal(
        (await ask(host, 'udp', world.internet4, 7000))?.peer,
        world.host4,
        'the host keeps its routes',
      );
      await meter.reset();
      await nothing('nor beside the tunnel');
      await tunnel.stop();
      await nothing('nor when it is gone');
      t.equal(await seenAs(host, 'web'), world.host4, 'the one by NAT is not concerned');

      for (const machine of machines) await machine.stop();
      await detach(host, '--netns', 'web');
      await detach(host, '--netns', 'media');
      t.strictSame(await host.nft(), [], 'nothing is left');
      t.equal(await host.shell('ip rule list iif nm-vpn; ip -6 rule list iif nm-vpn'), '');
    },
    FORWARDING,
  );
});
