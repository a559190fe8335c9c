/** `netmoor` and a LAN: attach, exec, what the views say, the dead collected, detached by hand. */
import t from 'tap';
import type { Test } from 'tap';
import { addressOf, attach, detach, must, stateOf } from '../kernel/attach-bed.ts';
import { until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { lanWorld } from '../kernel/lan.ts';
import { asked, netmoor, refused } from '../kernel/netmoor-command.ts';
import { naming } from '../naming.ts';
import { lackingFor } from './lacking.ts';
import {
  POOL4,
  RDNSS,
  leasedBy,
  macOf,
  slaacOf,
  untilNoMacvlan,
  withLanHost,
  writeLan,
} from './macvlan-bed.ts';

t.setTimeout(180_000);

const skip = lackingFor('busybox', 'socat', 'radvd', 'tcpdump', 'nft');
const RADVD = `prefix 2001:db8:50::/64 {}; RDNSS fe80::1 ${RDNSS} {}; DNSSL lan.example {};`;

async function views(t: Test, host: Host, web: string, mail: string): Promise<void> {
  t.match((await asked(host, 'ls')).view, [
    { containerId: 'web', segment: 'lan0', addresses: [{ address: `${web}/64`, gateway: 'fe80::1' }] },
    {
      containerId: 'mail',
      segment: 'lan0',
      addresses: [{ address: '192.0.2.111/24' }, { address: `${mail}/64` }],
    },
  ]);
  const { leases, usage } = (await asked(host, 'leases')).view;
  t.match(leases, [
    { address: `${web}/64`, own: false },
    { address: '192.0.2.111/24', own: true },
    { address: `${mail}/64`, own: false },
  ]);
  t.match(usage, [{ network: 'dual', subnet: '192.0.2.0/24', taken: '1' }]);
  const { segments } = (await asked(host, 'show')).view;
  t.match(segments, [
    {
      name: 'lan0',
      kind: 'master',
      networks: [
        { name: 'dual', attachments: [{ containerId: 'mail' }] },
        { name: 'lan', attachments: [{ containerId: 'web' }] },
      ],
    },
  ]);
  const drawn = (await must(host, 'show', '--ascii')).split('\n').slice(3);
  t.same(drawn, [
    ' `- master lan0',
    '    |- network dual  192.0.2.0/24',
    `    |  \`- mail eth0  192.0.2.111/24, ${mail}/64`,
    '    `- network lan',
    `       \`- web eth0  ${web}/64`,
    '',
  ]);
  t.match(await asked(host, 'check'), { yes: true, view: { ok: true } });
}

t.test('networks on a LAN by hand', { skip }, async (t) => {
  await withLanHost(
    t,
    async ({ host, peer }) => {
      writeLan(host, 'lan');
      writeLan(host, 'dual', { ipam: POOL4 });
      host.write('/etc/resolv.conf', 'nameserver 192.0.2.99\n');
      await host.must(['mkdir', '-p', '/run/netns']);
      const before = await stateOf(host);
      const [attached] = await attach(host, '--create', 'web', 'lan');
      const web = addressOf(attached, 6);
      t.equal(web, slaacOf(await macOf(host.at('/run/netns/web'), 'eth0')));
      t.match(attached?.result.dns, { nameservers: ['fe80::1', RDNSS], search: ['lan.example'] });
      const [second] = await attach(host, '--create', 'mail', 'dual:ip=192.0.2.111');
      const mail = addressOf(second, 6);
      for (const each of [web, mail, '192.0.2.111']) t.ok(await peer.pings(each), `a peer reaches ${each}`);
      const seen = await must(host, 'exec', 'web', '--', 'cat', '/etc/resolv.conf');
      t.same(seen.split('\n').slice(1), [
        'search lan.example',
        'nameserver fe80::1%eth0',
        `nameserver ${RDNSS}`,
        '',
      ]);
      await must(host, 'exec', 'web', '--', 'ping', '-c', '1', '-W', '5', mail);
      await views(t, host, web, mail);

      await host.shell('ip -n web link set eth0 down');
      const broken = await asked(host, 'check');
      t.notOk(broken.yes);
      t.match(broken.view.attachments, [
        { containerId: 'web', differences: [naming('eth0')] },
        { differences: [] },
      ]);
      await detach(host, '--netns', 'web', '--delete');

      await host.removeContainer('mail');
      await untilNoMacvlan(host);
      const isStale = async () => (await asked(host, 'ls')).view[0]?.stale !== undefined;
      await until(isStale, 'mail is known to be dead');
      t.same(await leasedBy(host), ['192.0.2.111/24']);
      t.match(await must(host, 'gc'), naming('dual/mail/eth0'));
      t.same(await leasedBy(host), []);
      t.same((await asked(host, 'ls')).view, []);
      t.same(await stateOf(host), before, 'everything is as before');

      const [again] = await attach(host, '--create', 'web', 'lan');
      t.equal(addressOf(again, 6), web, 'the same address when it comes again');
      await detach(host, '--netns', 'web', '--delete');
      t.same(await stateOf(host), before);
    },
    { radvd: RADVD },
  );
});

t.test('what cannot be is told, and nothing stays of it', { skip }, async (t) => {
  await withLanHost(t, async ({ host, router }) => {
    writeLan(host, 'lan', { timeout: 2 });
    writeLan(host, 'nowhere', { master: 'lan7' });
    await host.must(['mkdir', '-p', '/run/netns']);
    const before = await stateOf(host);
    const cases = [
      ['lan:port=8080:80', 7, ['portMappings']],
      ['lan:ip=192.0.2.5', 7, ['192.0.2.5/24']],
      ['lan:ip=fd00::5', 50, ['fd00::5', `${lanWorld.prefix6}5`]],
      ['nowhere', 50, ['lan7']],
    ] as const;
    for (const [network, code, words] of cases) {
      const answer = await refused(host, 'attach', '--create', 'web', network);
      t.match(answer, { code, text: naming(...words) }, network);
      t.same(await stateOf(host), before, 'nothing is left');
    }
    await router.stop();
    const silent = await stateOf(host);
    const alone = await refused(host, 'attach', '--create', 'web', 'lan');
    t.match(alone, { code: 50, text: naming('lan0', '2 s') });
    t.same(await stateOf(host), silent, 'nothing is left');
    t.match(await netmoor(host, 'gc'), { code: 0 });
  });
});
