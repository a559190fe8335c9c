/** Name servers of a namespace: where programs in it look for them, and what is left of them afterwards. */
import t from 'tap';
import { FORWARDING, NETMOOR, attach, define, detach, must, netmoor, stateOf } from './attach-bed.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { naming } from '../naming.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;

const FILE = '/etc/netns/web/resolv.conf';

function network(name: string, subnet: string, dns?: object): string {
  const plugin = { type: 'bridge-nat', ipam: { subnet }, ...(dns === undefined ? {} : { dns }) };
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [plugin] });
}

const NETWORKS = {
  front: network('front', '10.85.0.0/24', { nameservers: ['192.0.2.1'], search: ['front.example'] }),
  back: network('back', '10.86.0.0/24', { nameservers: ['192.0.2.2'] }),
  quiet: network('quiet', '10.87.0.0/24'),
};

/** What a program in `web` reads, without comments. */
async function seen(host: Host): Promise<string[]> {
  const text = await must(host, 'exec', 'web', '--', 'cat', '/etc/resolv.conf');
  t.equal(
    await host.must(['ip', 'netns', 'exec', 'web', 'cat', '/etc/resolv.conf']),
    text,
    'ip netns agrees',
  );
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

t.test('a named namespace', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      define(host, NETWORKS);
      host.write('/etc/resolv.conf', 'nameserver 192.0.2.99\n');
      const before = await stateOf(host);
      const settled = (what: string) =>
        until(async () => {
          t.same(await stateOf(host), before, what);
          return true;
        }, what);

      await host.must([
        'sh',
        '-c',
        `umask 077; exec ${NETMOOR} attach --create web --dns 192.0.2.53 --dns-search a.example --dns-option ndots:2 quiet`,
      ]);
      t.same(await seen(host), ['search a.example', 'nameserver 192.0.2.53', 'options ndots:2']);
      t.equal(await host.must(['stat', '-c', '%a', '/etc/netns/web', FILE]), '755\n644\n');
      await detach(host, '--netns', 'web', '--delete');
      await settled('nothing is left');

      await attach(host, '--create', 'web', 'front', 'back', 'quiet');
      t.same(await seen(host), ['search front.example', 'nameserver 192.0.2.1'], 'as the networks say');
      await detach(host, '--netns', 'web', 'front');
      t.same(await seen(host), ['nameserver 192.0.2.2'], 'those that are left');
      await detach(host, '--netns', 'web', 'back');
      t.same(await seen(host), ['nameserver 192.0.2.99'], "nobody says anything: the host's own");
      await detach(host, '--netns', 'web', '--delete');
      await settled('nothing is left of networks that say something');

      await attach(host, '--create', 'web', '--dns-search', 'a.example', 'quiet');
      t.same(await seen(host), ['search a.example', 'nameserver 192.0.2.99'], "with the host's name servers");
      await host.removeContainer('web');
      await until(async () => (await must(host, 'gc')).includes('quiet/web/eth0'), 'it is collected');
      await settled('nothing is left of one that was deleted');
    },
    FORWARDING,
  );
});

t.test('a file that somebody else wrote, or changed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host, NETWORKS);
    host.write('/etc/netns/web/resolv.conf', 'nameserver 192.0.2.7\n');
    const kept = await netmoor(host, 'attach', '--create', 'web', '--dns', '192.0.2.53', 'quiet');
    t.match(kept, { code: 0, stderr: naming('/etc/netns/web/resolv.conf') });
    t.same(await seen(host), ['nameserver 192.0.2.7']);
    await detach(host, '--netns', 'web');
    t.same(await seen(host), ['nameserver 192.0.2.7'], 'it stays');

    await host.must(['rm', FILE]);
    await attach(host, '--netns', 'web', 'front');
    await host.shell(`sed -i s/192.0.2.1/192.0.2.8/ ${FILE}`);
    await attach(host, '--netns', 'web', '--dns', '192.0.2.53', 'quiet');
    t.same(await seen(host), ['search front.example', 'nameserver 192.0.2.8'], 'as it was changed');
    await detach(host, '--netns', 'web', '--delete');
    t.match(await host.must(['cat', FILE]), naming('192.0.2.8'));
  });
});

t.test('a namespace without a name', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host, NETWORKS);
    const { place, stop } = await host.processContainer('c1');
    const pid = place.netnsPath.split('/')[2] ?? '';
    const at = (...args: string[]) =>
      netmoor(host, 'attach', '--pid', pid, '--id', 'c1', '--dns', '192.0.2.53', ...args);
    const before = await host.must(['cat', '/etc/resolv.conf']);
    t.match(await at('front'), { code: 0, stderr: naming('--dns') });

    await host.shell('mkdir -p /run/root/etc /run/root/run; ln -s /etc/hostname /run/root/etc/resolv.conf');
    const hostname = await host.must(['cat', '/etc/hostname']);
    t.match(await at('--root', '/run/root', 'back'), { code: 0, stderr: '' });
    const written = await host.must(['cat', '/run/root/etc/resolv.conf']);
    t.equal(written, 'search front.example\nnameserver 192.0.2.53\n');
    t.equal(await host.must(['cat', '/etc/hostname']), hostname, 'the link was not followed');

    t.match(await at('--root', '/', 'quiet'), { code: 0, stderr: naming('/etc/resolv.conf') });
    t.equal(await host.must(['cat', '/etc/resolv.conf']), before, 'the file of the host stays as it is');
    t.match(await at('--root', 'root'), { code: 2 });
    t.match(await at('--dns-search', 'a b'), { code: 2 });
    await stop();
  });
});
