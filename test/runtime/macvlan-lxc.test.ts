/** LXC containers on a LAN, by the example's hook and network. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { define, must } from '../kernel/attach-bed.ts';
import { until } from '../kernel/harness.ts';
import { lanWorld } from '../kernel/lan.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { lackingFor } from './lacking.ts';
import { EXAMPLE, TOOLS, layOut, start, state, stop } from './lxc-bed.ts';
import { RDNSS, slaacOf, untilNoMacvlan, withLanHost } from './macvlan-bed.ts';
import { fetchFrom } from './systemd-machine.ts';

t.setTimeout(180_000);

const skip = lackingFor('lxc-start', 'busybox', 'socat', 'radvd', 'tcpdump', 'nft');

const HOME = readFileSync(`${EXAMPLE}/home.conflist`, 'utf8').replace(
  '"eth0"',
  JSON.stringify(lanWorld.master),
);
const CONFIG = readFileSync(`${EXAMPLE}/netmoor-lxc-home.conf`, 'utf8');
const INIT =
  'ip -o -6 address show dev eth0 > /root/seen; cat /etc/resolv.conf > /root/resolv; exec httpd -f -p 80 -h /root';
const RADVD = `prefix 2001:db8:50::/64 {}; RDNSS fe80::1 ${RDNSS} {}; DNSSL lan.example {};`;

t.test('containers that are hosts on the LAN', { skip }, async (t) => {
  await withLanHost(
    t,
    async ({ host, peer }) => {
      await host.shell(TOOLS);
      define(host, { home: HOME });
      // The host is on the LAN as well, and reaches its containers.
      await host.must(['ip', 'address', 'add', `${lanWorld.prefix6}2/64`, 'dev', lanWorld.master, 'nodad']);
      const before = await state(host);
      await layOut(host, 'c1', CONFIG, INIT);
      await layOut(
        host,
        'c2',
        CONFIG.replace('netmoor-lxc home', 'netmoor-lxc home:ip=2001:db8:50::6'),
        INIT,
      );
      t.equal(await start(host, 'c1'), 0);
      t.equal(await start(host, 'c2'), 0);
      const views = (await asked(host, 'ls')).view;
      const addresses = views.map(({ addresses: [first] }) => first?.address.replace('/64', '') ?? '');
      t.same(addresses, [slaacOf(views[0]?.mac ?? ''), '2001:db8:50::6']);
      for (const [index, address] of addresses.entries()) {
        const name = `c${index + 1}`;
        t.ok(await peer.pings(address), `a peer reaches ${name}`);
        const page = () => fetchFrom(peer.place, address, 80);
        t.equal(await until(page, `${name} answers`, 10_000), `this is ${name}\n`);
        t.equal(await fetchFrom(host, address, 80), `this is ${name}\n`, 'so does the host');
        const read = (file: string) => host.must(['cat', `/run/lxc/${name}/rootfs/root/${file}`]);
        t.ok((await read('seen')).includes(`${address}/64`), 'up before its first instruction');
        t.equal(
          await read('resolv'),
          `search lan.example\nnameserver fe80::1%eth0\nnameserver ${RDNSS}\n`,
          'the name servers of the router',
        );
      }
      const [first = '', second = ''] = addresses;
      await must(host, 'exec', 'c1', '--', 'ping', '-c', '1', '-W', '5', second);
      t.match(await asked(host, 'check'), { yes: true });

      await stop(host, 'c1');
      t.notOk(await peer.pings(first, 1000));
      t.equal(await start(host, 'c1'), 0);
      t.ok(await peer.pings(first), 'the same address when it is started again');
      await stop(host, 'c1');
      await stop(host, 'c2');
      t.same((await asked(host, 'ls')).view, []);
      await untilNoMacvlan(host);
      t.same(await state(host), before, 'nothing is left');
    },
    { radvd: RADVD },
  );
});
