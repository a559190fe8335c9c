/**
 * The harness itself: what it promises the other tests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { test } from 'tap';
import { SctpEar, sendInit } from './harness-sctp.ts';
import { Conversation, ask, lacking, openHost, serve, until, withHost, without, world } from './harness.ts';

const skip = lacking() ?? false;

/** A hierarchy of control groups, of either version. */
const CGROUPS = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';

test('a private host', { skip }, async (t) => {
  await t.test('its own network, mounts and processes', async (t) => {
    await withHost(t, async (host) => {
      const links = await host.ip('link', 'show');
      t.same(
        links.map((link) => link.ifname),
        ['lo', 'uplink'],
      );
      t.same(await host.nft(), []);
      host.write('/etc/cni/net.d/10-x.conflist', '{}');
      t.equal(await host.must(['cat', '/etc/cni/net.d/10-x.conflist']), '{}');
      t.notOk(existsSync('/etc/cni/net.d/10-x.conflist'), 'the machine does not see the file');
      t.equal((await host.must(['cat', '/proc/1/comm'])).trim(), 'cat');
      t.match(await host.must(['cat', '/proc/self/cgroup']), /:/, 'control groups stay visible');
    });
  });

  await t.test('the world outside answers on both families', async (t) => {
    await withHost(t, async (host) => {
      await serve(host.outside, 'tcp', 80);
      await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside6' });
      await serve(host.outside, 'udp', 53);
      t.match(await ask(host, 'tcp', world.internet4, 80), { from: 'outside', peer: world.host4 });
      t.match(await ask(host, 'tcp', world.internet6, 80), { from: 'outside6', peer: world.host6 });
      t.match(await ask(host, 'udp', world.router4, 53, { sourcePort: 4000 }), {
        peer: world.host4,
        peerPort: 4000,
      });
      t.equal(await ask(host, 'tcp', world.router4, 81), undefined, 'a closed port gives no answer');
      t.equal(await ask(host, 'udp', world.router4, 54, { deadlineMs: 50 }), undefined);
    });
  });

  await t.test('one UDP flow carries several questions', async (t) => {
    await withHost(t, async (host) => {
      await serve(host.outside, 'udp', 53);
      const talk = new Conversation(host, 'udp', world.router4, 53);
      const first = await talk.ask();
      t.equal(first?.from, 'outside');
      t.same(await talk.ask(), first, 'same port seen both times');
      await talk.close();
    });
  });

  await t.test('SCTP packets arrive and are recognised by conntrack', async (t) => {
    await withHost(t, async (host) => {
      await host.outside.shell(
        'nft add table t; nft add chain t c "{ type filter hook prerouting priority 0; }"; nft add rule t c ct state invalid drop',
      );
      const ear = await SctpEar.open(host.outside);
      await sendInit(host, world.router4, 4000, 9899);
      await ear.hears(9899);
      t.same(ear.ports(), [9899]);
      await ear.close();
    });
  });

  await t.test('containers: named ones and process-backed ones', async (t) => {
    await withHost(t, async (host) => {
      const named = await host.container('c1');
      t.same(
        (await named.ip('link', 'show')).map((link) => link.ifname),
        ['lo'],
      );
      t.equal(named.netnsPath, '/run/netns/c1');
      t.ok(existsSync(host.path(named.netnsPath)));
      const { place, stop } = await host.processContainer('c2');
      t.same(
        (await place.ip('link', 'show')).map((link) => link.ifname),
        ['lo'],
      );
      await stop();
      await until(() => !existsSync(host.path(place.netnsPath)), 'the process is gone');
      await host.removeContainer('c1');
    });
  });
});

test('snapshots', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const container = await host.container('c1');
    const before = await host.snapshot();
    t.same(await host.snapshot(), before, 'equal when nothing happened');

    const changes: [string, string, string, string][] = [
      ['links', 'host', 'ip link add extra type bridge', 'ip link delete extra'],
      ['addresses', 'host', 'ip address add 10.9.9.9/32 dev lo', 'ip address delete 10.9.9.9/32 dev lo'],
      [
        'routes6',
        'host',
        'ip -6 route add 2001:db8:99::/64 dev uplink',
        'ip -6 route delete 2001:db8:99::/64',
      ],
      ['nft', 'host', 'nft add table inet left', 'nft delete table inet left'],
      ['files', 'host', 'mkdir -p /var/lib/cni/left', 'rmdir /var/lib/cni/left'],
      ['namespaces', 'host', 'touch /run/netns/left', 'rm /run/netns/left'],
      ['sysctls', 'host', 'echo 1 > /proc/sys/net/ipv4/ip_forward', 'echo 0 > /proc/sys/net/ipv4/ip_forward'],
      [
        'inside c1: routes4',
        'c1',
        'ip route add blackhole 10.9.0.0/16',
        'ip route delete blackhole 10.9.0.0/16',
      ],
    ];
    for (const [section, where, make, unmake] of changes) {
      const place = where === 'host' ? host : container;
      await place.shell(make);
      const changed = await host.snapshot();
      t.notSame(changed[section], before[section], `${section} differ after: ${make}`);
      await place.shell(unmake);
      t.same(await host.snapshot(), before, `equal again after: ${unmake}`);
    }

    const sleeper = host.start(['sleep', '999']);
    await until(async () => JSON.stringify(await host.snapshot()).includes('sleep 999'), 'process is listed');
    await sleeper.stop();
    t.same(await host.snapshot(), before);
    t.notOk('files' in without(before, 'files'));
  });
});

test('teardown', { skip }, async (t) => {
  await t.test('kills whatever was started, however it forked', async (t) => {
    const host = await openHost();
    await host.run(['sh', '-c', 'setsid sh -c "sleep 987654 & sleep 987654" >/dev/null 2>&1 &']);
    const pid = host.path('/').split('/')[2] ?? '';
    await until(
      async () => (await host.snapshot())['processes']?.toString().includes('987654'),
      'sleepers run',
    );
    await host.close();
    t.notOk(existsSync(`/proc/${pid}`));
  });

  await t.test('happens when the body throws', async (t) => {
    let pid = '';
    const failing = withHost({ comment: () => {} }, async (host) => {
      pid = host.path('/').split('/')[2] ?? '';
      throw new Error('on purpose');
    });
    await t.rejects(failing, { message: 'on purpose' });
    t.notOk(existsSync(`/proc/${pid}`));
  });

  await t.test('happens when the test process is killed', async (t) => {
    const harness = new URL('harness.ts', import.meta.url).href;
    const script = `const { openHost } = await import('${harness}');
      const host = await openHost();
      await host.run(['sh', '-c', 'setsid sleep 987655 >/dev/null 2>&1 &']);
      await host.shell('mkdir -p ${CGROUPS}/' + host.id + '/inner');
      console.log(host.path('/').split('/')[2], host.id);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const [pid, id] = line.toString().trim().split(' ');
    t.ok(existsSync(`/proc/${pid}`));
    t.ok(existsSync(`${CGROUPS}/${id}/inner`));
    child.kill('SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`), 'process 1 of the host is gone');
    await until(() => !existsSync(`${CGROUPS}/${id}`), 'its control groups are gone');
  });

  await t.test('several hosts at once', async (t) => {
    const hosts = await Promise.all(Array.from({ length: 4 }, () => openHost()));
    await Promise.all(hosts.map((host, i) => host.shell(`ip link add br${i} type bridge`)));
    for (const [i, host] of hosts.entries()) {
      t.same(
        (await host.ip('link', 'show')).map((link) => link.ifname),
        ['lo', 'uplink', `br${i}`],
      );
    }
    await Promise.all(hosts.map((host) => host.close()));
  });
});
